"""Hands that another program found."""

import json

import numpy as np
import pytest

from hearing_hands_ros.demo import hand
from hearing_hands_ros.hands_from_video.frames import CameraFrame
from hearing_hands_ros.hands_from_video.keypoint_file import KeypointFile
from hearing_hands_ros.scene.registration.localize import Lens

LENS = Lens(640, 480, 500.0, 500.0, 310.0, 250.0)
SHAPE = hand.keypoints(np.full((1, 4, 3), 0.2))[0]
PLACE = np.array([0.1, -0.05, 0.7])


def document(**changes):
    values = {
        "stamps_ns": np.array([2_000_000_000, 1_000_000_000, 1_000_000_000]),
        "is_right": np.array([1.0, 1.0, 0.0]),
        "pred_keypoints_3d": np.stack([SHAPE] * 3),
        "cam_t": np.stack([PLACE, PLACE + 0.1, PLACE - 0.1]),
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def hands_at(source, stamp_ns):
    return source.detect(CameraFrame(stamp_ns, "camera", None))


def test_hands_are_found_by_the_stamp_of_their_image(tmp_path):
    np.savez(tmp_path / "a.npz", **document())
    source = KeypointFile(tmp_path / "a.npz", LENS)
    first, second, none = (hands_at(source, stamp_ns) for stamp_ns in (1_000_400_000, 2_000_000_000, 1_500_000_000))
    assert [hand.right for hand in first] == [1.0, 0.0]
    assert (len(second), none) == (1, [])
    assert (source.used, len(source)) == (3, 3)
    points = SHAPE + PLACE
    np.testing.assert_allclose(second[0].pixels, points[:, :2] / points[:, 2:] * 500.0 + [310.0, 250.0])


def test_hamers_own_lens_looks_through_the_middle_of_the_image(tmp_path):
    values = document(focal_length=12_500.0, cam_t=np.stack([[0.1, -0.05, 17.5]] * 3))
    (tmp_path / "a.json").write_text(json.dumps({name: np.asarray(value).tolist() for name, value in values.items()}))
    (found,) = hands_at(KeypointFile(tmp_path / "a.json", LENS), 2_000_000_000)
    points = SHAPE + [0.1, -0.05, 17.5]
    np.testing.assert_allclose(found.pixels, points[:, :2] / points[:, 2:] * 12_500.0 + [320.0, 240.0])


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"cam_t": None}, "got no cam_t"),
        ({"pred_keypoints_3d": np.zeros((3, 20, 3))}, r"wanted finite pred_keypoints_3d of shape \(3, 21, 3\)"),
        ({"is_right": np.array([0.0, np.nan, 1.0])}, "wanted finite is_right"),
        ({"cam_t": np.zeros((3, 3)) - [0.0, 0.0, 1.0]}, "wanted hands in front of the camera"),
        ({"focal_length": 0.0}, "wanted a positive focal_length"),
        ({"stamps_ns": np.array(["a", "b", "c"])}, "wanted arrays of numbers"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, changes, wanted):
    np.savez(tmp_path / "a.npz", **document(**changes))
    with pytest.raises(ValueError, match=wanted):
        KeypointFile(tmp_path / "a.npz", LENS)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 broken"])
@pytest.mark.parametrize("name", ["a.npz", "a.json"])
def test_a_damaged_file_is_named(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"keypoints '.*{name}': wanted a .npz or .json file"):
        KeypointFile(tmp_path / name, LENS)


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", **document(is_right=np.array([print, 1, 2], object)))
    with pytest.raises(ValueError, match="cannot be read"):
        KeypointFile(tmp_path / "a.npz", LENS)
