"""Views of the demo's scene and of small scenes with a hand in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.hand_shape import SKIN_RGB, HandShape
from hearing_hands_ros.scene.render import SplatRenderer
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import LocalView, global_camera
from hearing_hands_ros.scene.views import Moment, SceneViews, ViewSettings

DEMO = Path(__file__).parents[2] / "demo" / "scene"


@pytest.fixture(scope="module")
def views(bundle: SceneBundle, surface: SplatSurface) -> SceneViews:
    return SceneViews(bundle, surface, backend="numba")


def hand_at(point: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """A right hand whose index fingertip is at a point and whose wrist is over it."""
    keypoints = np.zeros((21, 3))
    side = np.cross(normal, [0.3, 0.5, 0.8])
    side /= np.linalg.norm(side)
    lean = np.cross(side, normal)
    tip = point + 0.004 * normal
    knuckles = tip + 0.07 * normal + 0.03 * lean
    for finger, off in enumerate((-0.035, 0.0, 0.02, 0.04, 0.058)):
        end = tip if finger == 1 else knuckles + off * side + 0.03 * lean
        start = knuckles + off * side
        keypoints[1 + 4 * finger : 5 + 4 * finger] = start + np.linspace(0, 1, 4)[:, None] * (end - start)
    keypoints[0] = knuckles + 0.08 * lean + 0.02 * normal + 0.01 * side
    return keypoints


def moment(keypoints: np.ndarray, **more: object) -> Moment:
    both = np.stack([np.full((21, 3), np.nan), keypoints])
    return Moment(both, np.array([False, True]), **more)  # type: ignore[arg-type]


def spot(bundle: SceneBundle, surface: SplatSurface, material: str) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the largest patch of a material, and the normal there."""
    of_it = bundle.means_m[bundle.labels == bundle.material_names.index(material)]
    answer = surface.query(of_it[[np.argmin(((of_it - np.median(of_it, axis=0)) ** 2).sum(axis=1))]])
    return answer.point_m[0], answer.normal[0]


def share_of_skin(picture: np.ndarray) -> float:
    colour = picture.astype(np.float64) / np.maximum(picture.sum(axis=-1, keepdims=True), 1)
    skin = np.array(SKIN_RGB) / np.sum(SKIN_RGB)
    return float((np.abs(colour - skin).max(axis=-1) < 0.02).mean())


@pytest.mark.parametrize("material", ["grass", "sand", "snow"])
def test_the_local_view_shows_what_is_touched(
    bundle: SceneBundle, surface: SplatSurface, views: SceneViews, material: str
) -> None:
    point, normal = spot(bundle, surface, material)
    seen = views.look([moment(hand_at(point, normal), hand=1, point_m=point, normal=normal)])
    colour = np.median(bundle.splats.rgb[bundle.labels == bundle.material_names.index(material)], axis=0) * 255
    close = np.abs(seen.local_rgb[0].astype(np.float64) - colour).max(axis=-1) < 60
    assert close.mean() > 0.4
    assert seen.touching[0]


def test_the_finger_is_in_the_local_view_and_does_not_hide_the_spot(
    bundle: SceneBundle, surface: SplatSurface, views: SceneViews
) -> None:
    point, normal = spot(bundle, surface, "grass")
    picture = views.look([moment(hand_at(point, normal), hand=1, point_m=point, normal=normal)]).local_rgb[0]
    assert 0.02 < share_of_skin(picture) < 0.5


def test_the_local_view_is_as_wide_as_asked(bundle: SceneBundle) -> None:
    view = LocalView(size=100, width_m=0.2, distance_m=0.5, tilt_deg=0.0)
    camera = view.camera(np.zeros(3), np.array([0.0, 0.0, 1.0]), bundle.up, np.array([1.0, 0.0, 0.0]))
    across = camera.rotation.apply([0.1, 0.0, 0.0])
    in_camera = camera.rotation.inv().apply(across - camera.position)
    np.testing.assert_allclose(camera.fx * in_camera[0] / in_camera[2] + camera.cx, 100.0, atol=1e-6)


def test_a_local_camera_avoids_the_hand() -> None:
    """The side that is asked for is where the hand is: the camera goes elsewhere."""
    point, normal = np.zeros(3), np.array([0.0, 0.0, 1.0])
    hand = hand_at(point, normal)
    renderer = SplatRenderer(HandShape().gaussians(hand), backend="numba")
    asked = LocalView(tilt_deg=20.0).camera(point, normal, normal, hand[9] - point)
    chosen = LocalView(tilt_deg=20.0).camera(point, normal, normal, hand[9] - point, hand[None])
    hidden = [float(renderer.render([camera]).alpha[0].mean()) for camera in (asked, chosen)]
    assert hidden[0] > 0.4
    assert hidden[1] < 0.7 * hidden[0]


def test_a_local_camera_avoids_walls(bundle: SceneBundle, surface: SplatSurface) -> None:
    point, normal = spot(bundle, surface, "wood")
    for towards in np.eye(3):
        camera = LocalView().camera(point, normal, bundle.up, towards, surface=surface)
        way = camera.position + np.linspace(0.0, 0.8, 20)[:, None] * (point - camera.position)
        assert (surface.query(way).distance_m > 0.0).all()


def test_a_hand_behind_something_is_hidden(bundle: SceneBundle, surface: SplatSurface, views: SceneViews) -> None:
    """The same hand over the table and under it, from above."""
    top = SceneViews(bundle, surface, ViewSettings(global_view="top"), backend="numba")
    point, normal = spot(bundle, surface, "wood")
    over, under = hand_at(point, normal), hand_at(point, normal) - 0.25 * bundle.up
    bare = top.look([moment(over + 50.0)]).global_rgb[0]
    with_hand = [top.look([moment(keypoints)]).global_rgb[0] for keypoints in (over, under)]
    changed = [(np.abs(picture.astype(int) - bare).max(axis=-1) > 30).sum() for picture in with_hand]
    assert changed[0] > 50
    assert changed[1] < 0.1 * changed[0]
    del views


@pytest.mark.parametrize("name", ["top", "side"])
def test_synthetic_views_hold_the_whole_scene(bundle: SceneBundle, name: str) -> None:
    camera = global_camera(bundle, name, 224)
    low, high = np.quantile(bundle.means_m, [0.02, 0.98], axis=0)
    inside = bundle.means_m[((bundle.means_m >= low) & (bundle.means_m <= high)).all(axis=1)]
    in_camera = camera.rotation.inv().apply(inside - camera.position)
    pixel = camera.fx * in_camera[:, :2] / in_camera[:, 2:] + camera.cx
    assert in_camera[:, 2].min() > 0.0
    assert pixel.min() >= 0.0
    assert pixel.max() <= 224.0
    assert np.ptp(pixel, axis=0).max() > 150.0  # and it is not lost in the middle


def test_an_unknown_view_is_refused(bundle: SceneBundle) -> None:
    with pytest.raises(ValueError, match=r"wanted one of \[.*'top', 'side'\], got 'bottom'"):
        global_camera(bundle, "bottom")


def test_a_motion_is_sampled_four_times_a_second(views: SceneViews) -> None:
    frames = 240
    motion = HandMotion(0, 30.0, np.zeros((frames, 2, 21, 3), np.float32), np.zeros((frames, 2), bool), ())
    assert len(views.moments(motion)) == 32


def test_a_touch_says_where_to_look(bundle: SceneBundle, surface: SplatSurface, views: SceneViews) -> None:
    point, normal = spot(bundle, surface, "sand")
    keypoints = np.full((30, 2, 21, 3), np.nan, np.float32)
    keypoints[:, 0] = hand_at(point, normal) + 0.02 * normal
    valid = np.tile([True, False], (30, 1))
    touch = Contact(400_000_000, 600_000_000, 0, "sand", tuple(point), tuple(normal), 0.2, 0.0, "tap")
    moments = views.moments(HandMotion(0, 30.0, keypoints, valid, (touch,)))
    assert [m.point_m is not None for m in moments] == [False, False, True, False]
    seen = views.stage(moments[2])
    np.testing.assert_allclose(seen.point_m, point)
    assert np.linalg.norm(seen.camera.position - point) == pytest.approx(0.25)


def test_without_hands_there_are_views_all_the_same(views: SceneViews) -> None:
    nobody = Moment(np.full((2, 21, 3), np.nan), np.zeros(2, bool))
    seen = views.look([nobody])
    assert seen.global_rgb.shape == seen.local_rgb.shape == (1, 224, 224, 3)
    assert not seen.touching[0]


def test_a_gripper_is_drawn_from_its_one_frame(views: SceneViews, bundle: SceneBundle, surface: SplatSurface) -> None:
    point, normal = spot(bundle, surface, "snow")
    pose = np.stack([*np.linalg.qr(np.column_stack([normal, np.eye(3)[:, :2]]))[0].T])
    frame = np.column_stack([pose[1], np.cross(-normal, pose[1]), -normal])
    keypoints = end_effector_keypoints(0.15, 0.04) @ frame.T + point + 0.15 * normal
    picture = views.look([moment(keypoints, hand=1, point_m=point, normal=normal)]).local_rgb[0]
    assert share_of_skin(picture) > 0.01


def test_a_keypoint_that_is_not_finite_is_refused() -> None:
    keypoints = np.zeros((21, 3))
    keypoints[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"HandShape: wanted \(21, 3\) finite keypoints, got \(21, 3\), 1 not finite"):
        HandShape().gaussians(keypoints)


def test_a_hand_looks_like_a_hand_from_every_side() -> None:
    """No gaps: along every bone's way the hand is opaque."""
    hand = hand_at(np.zeros(3), np.array([0.0, 0.0, 1.0]))
    renderer = SplatRenderer(HandShape().gaussians(hand), backend="numba")
    for direction in np.vstack([np.eye(3), -np.eye(3)]):
        camera = Camera.look_at(
            "side", hand.mean(axis=0) + 0.5 * direction, hand.mean(axis=0), [0.1, 0.2, 1.0], 160, 30.0
        )
        alpha = renderer.render([camera]).alpha[0]
        middles = np.concatenate([0.5 * (hand[1:-1] + hand[2:])[f * 4 : f * 4 + 3] for f in range(5)])
        in_camera = camera.rotation.inv().apply(middles - camera.position)
        pixel = (camera.fx * in_camera[:, :2] / in_camera[:, 2:] + camera.cx).astype(int)
        assert (alpha[pixel[:, 1], pixel[:, 0]] > 0.8).all()
