"""Where a hand is, from its pixels, its depth and its scene, against simulated hands whose place is known."""

from dataclasses import replace

import numpy as np
import pytest
from hand_videos import Bench, picture
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import hand
from hearing_hands_ros.hands_from_video.depth_messages import depth_of, is_depth
from hearing_hands_ros.hands_from_video.detection import palm_m
from hearing_hands_ros.hands_from_video.finding import MEASURED_OFF, SIZE_OFF, depth_patches
from hearing_hands_ros.hands_from_video.placing import Seen, facing, place_hand
from hearing_hands_ros.hands_from_video.rays import rays_of
from hearing_hands_ros.scene.registration.localize import Lens

FOCAL = 600.0


def seen_hand(rng, pixels_off=0.7, shape_off_m=0.0, distance_m=0.6):
    """A hand before a camera, and what is seen of it without depth."""
    flexion = rng.uniform(0.0, 0.9, (1, 4, 3))
    shape = hand.keypoints(flexion)[0]
    shape = Rotation.random(rng=rng).apply(shape - shape.mean(axis=0))
    middle = np.array([rng.uniform(-0.15, 0.15), rng.uniform(-0.1, 0.1), distance_m])
    points = shape + middle
    rays = points[:, :2] / points[:, 2:] + rng.normal(0.0, pixels_off / FOCAL, (21, 2))
    looked_at = facing(middle[:2] / middle[2]).inv().apply(shape) + rng.normal(0.0, shape_off_m, (21, 3))
    nothing = np.full((21, 0), np.nan)
    return points, Seen(rays, looked_at, FOCAL, nothing, np.full(21, np.inf), SIZE_OFF)


def distance_error(found, points):
    return float(abs(found[:, 2].mean() / points[:, 2].mean() - 1.0))


def test_without_depth_the_size_of_the_hand_tells_its_distance():
    rng = np.random.default_rng(0)
    errors, sideways = [], []
    for _ in range(30):
        points, seen = seen_hand(rng, shape_off_m=0.004)
        found = place_hand(seen)
        errors.append(distance_error(found, points))
        sideways.append(np.linalg.norm((found - points)[:, :2], axis=1).mean())
    assert np.median(errors) < 0.02
    assert np.max(errors) < 0.1
    assert np.median(sideways) < 0.006


def test_a_hand_that_is_larger_than_expected_seems_nearer_until_it_is_measured():
    points, seen = seen_hand(np.random.default_rng(1), pixels_off=0.0)
    small = replace(seen, shape_m=seen.shape_m * 0.9)
    assert place_hand(small)[:, 2].mean() == pytest.approx(0.9 * points[:, 2].mean(), rel=0.01)
    measured = replace(
        small, shape_m=small.shape_m * (palm_m(seen.shape_m) / palm_m(small.shape_m)), size_off=MEASURED_OFF
    )
    np.testing.assert_allclose(place_hand(measured), points, atol=1e-4)


def test_a_hand_is_in_front_of_the_scene():
    """Expected too large, it would be 10 % too far away, behind the wall that it is before."""
    points, seen = seen_hand(np.random.default_rng(2), pixels_off=0.0)
    large = replace(seen, shape_m=seen.shape_m * 1.1)
    free = place_hand(large)
    wall = points[:, 2].max() + 0.01
    bounded = place_hand(replace(large, scene_m=np.full(21, wall)))
    assert free[:, 2].max() > wall + 0.03
    assert bounded[:, 2].max() < wall + 0.015
    assert distance_error(bounded, points) < 0.5 * distance_error(free, points)


def test_with_depth_keypoints_that_can_be_seen_are_right_within_millimetres():
    """The size is 8 % off, the shape 5 mm, pixels by half, depth 2 mm; a third of the depths are of something else."""
    bench, rng = Bench(), np.random.default_rng(3)
    _, taps = bench.taps(1.0)
    truth = taps[::3]
    errors = []
    for keypoints, (_, depth_m) in zip(truth, bench.render(truth), strict=True):
        points = bench.scene_from_camera.inverse().apply(keypoints)
        pixels = points[:, :2] / points[:, 2:] * bench.camera.fx + [bench.camera.cx, bench.camera.cy]
        pixels += rng.normal(0.0, 0.5, pixels.shape)
        middle = points.mean(axis=0)
        shape = facing(middle[:2] / middle[2]).inv().apply(1.08 * (points - middle)) + rng.normal(0.0, 0.005, (21, 3))
        patches = depth_patches(depth_m + rng.normal(0.0, 0.002, depth_m.shape), pixels)
        patches[rng.choice(21, 7, replace=False)] -= 0.2
        rays = (pixels - [bench.camera.cx, bench.camera.cy]) / bench.camera.fx
        seen = Seen(rays, shape, bench.camera.fx, patches, np.full(21, np.inf), SIZE_OFF)
        errors.append(np.linalg.norm(place_hand(seen) - points, axis=1))
    assert np.median(errors) < 0.005
    assert np.median(np.array(errors)[:, 8]) < 0.008  # the fingertip that touches


def test_pixels_that_are_no_hands_are_refused():
    rng = np.random.default_rng(4)
    _, seen = seen_hand(rng)
    assert place_hand(replace(seen, rays=rng.uniform(-0.3, 0.3, (21, 2)))) is None


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("", ()),
        ("plumb_bob", (-0.28, 0.07, 0.0009, -0.0006, 0.01)),
        ("rational_polynomial", (0.52, -2.61, 0.0008, -0.0003, 1.51, 0.4, -2.43, 1.43)),
        ("equidistant", (-0.02, 0.004, -0.001, 0.0002)),
    ],
)
def test_distortion_is_undone_as_colmap_undoes_it(model, distortion):
    pycolmap = pytest.importorskip("pycolmap", reason="the scene extra is not installed")
    lens = Lens(640, 480, 420.0, 430.0, 320.5, 239.0, model, distortion)
    pixels = np.random.default_rng(5).uniform([20, 20], [620, 460], (50, 2))
    name, parameters = lens.colmap_parameters
    camera = pycolmap.Camera(model=name, width=640, height=480, params=parameters)
    np.testing.assert_allclose(rays_of(lens, pixels), camera.cam_from_img(pixels), atol=2e-4)


def depth_message(values, encoding):
    return picture(1, values, encoding)


def test_depth_images_of_either_unit_are_metres():
    truth = np.array([[0.5, 1.25], [np.nan, 2.0]], np.float32)
    millimetres = np.nan_to_num(truth * 1e3).astype(np.uint16)
    for message in (depth_message(millimetres, "16UC1"), depth_message(np.nan_to_num(truth), "32FC1")):
        assert is_depth(message)
        np.testing.assert_allclose(depth_of(message), truth, rtol=1e-6)
    swapped = depth_message(millimetres.astype(">u2"), "16UC1")
    swapped.is_bigendian = 1
    np.testing.assert_allclose(depth_of(swapped), truth, rtol=1e-6)


def test_compressed_depth_is_read_and_damaged_depth_is_named():
    import io

    from hand_videos import header, made
    from PIL import Image

    values = np.array([[500, 1250], [0, 60_000]], np.uint16)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    data = np.frombuffer(bytes(12) + stream.getvalue(), np.uint8)
    message = made("sensor_msgs/msg/CompressedImage", header=header(1), format="16UC1; compressedDepth png", data=data)
    np.testing.assert_allclose(depth_of(message), [[0.5, 1.25], [np.nan, 60.0]])
    message.data = data[:30]
    with pytest.raises(ValueError, match="wanted a PNG"):
        depth_of(message)
    short = depth_message(values, "16UC1")
    short.data = short.data[:3]
    with pytest.raises(ValueError, match="got '16UC1', 3 bytes in rows of 4"):
        depth_of(short)
