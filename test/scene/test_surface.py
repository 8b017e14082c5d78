from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from made_scenes import bundle, grid, splats

from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.scene.surface import SplatSurface


def column(x: float, y: float, heights: list[float]) -> np.ndarray:
    return np.array([[x, y, z] for z in heights])


def test_plane_gives_signed_height_normal_and_foot(plane: SplatScene) -> None:
    heights = [-0.02, -0.002, 0.0, 0.004, 0.03, 0.09]
    got = SplatSurface(bundle(plane)).query(column(0.013, -0.021, heights))
    np.testing.assert_allclose(got.distance_m, heights, atol=1e-5)
    np.testing.assert_allclose(got.normal, np.broadcast_to([0, 0, 1.0], (6, 3)), atol=1e-4)
    np.testing.assert_allclose(got.point_m, column(0.013, -0.021, [0.0] * 6), atol=1e-4)


def test_far_points_are_at_infinity(plane: SplatScene) -> None:
    got = SplatSurface(bundle(plane)).query(np.array([[0, 0, 0.2], [5.0, 5, 5], [0, 0, -0.08], [np.nan, 0, 0]]))
    assert np.isinf(got.distance_m).all()
    assert (got.material == -1).all() and (got.material_share == 0).all()
    assert np.isnan(got.point_m).all() and not got.normal.any()


def test_a_point_beside_the_edge_is_not_under_the_plane(plane: SplatScene) -> None:
    beside = np.array([[0.23, 0.0, -0.005], [0.22, 0.0, -0.02], [0.23, 0.23, -0.005], [0.24, 0.0, 0.0]])
    way = np.array([np.hypot(0.03, 0.005), np.hypot(0.02, 0.02), np.hypot(np.hypot(0.03, 0.03), 0.005), 0.04])
    got = SplatSurface(bundle(plane)).query(beside)
    np.testing.assert_allclose(got.distance_m, way, atol=0.002)
    assert got.point_m[0, 0] == pytest.approx(0.2, abs=0.002)


def test_inside_the_edge_the_plane_holds(plane: SplatScene) -> None:
    got = SplatSurface(bundle(plane)).query(np.array([[0.197, 0, -0.003], [0.197, 0.1, 0.003], [-0.19, -0.19, -0.001]]))
    np.testing.assert_allclose(got.distance_m, [-0.003, 0.003, -0.001], atol=2e-4)


def test_a_gap_is_bridged_and_a_hole_is_not() -> None:
    xy = grid((-0.2, -0.2), (0.2, 0.2), 0.005)
    for radius, inside in ((0.011, True), (0.06, False)):
        rim = xy[np.linalg.norm(xy, axis=1) > radius]
        points = np.concatenate([rim, np.zeros((len(rim), 1))], axis=1)
        surface = SplatSurface(bundle(splats(points, np.broadcast_to([0, 0, 1.0], points.shape), 0.005)))
        distance = float(surface.query(np.array([[0.0, 0.0, -0.002]])).distance_m[0])
        if inside:
            assert distance == pytest.approx(-0.002, abs=3e-4)
        else:
            assert distance > 0.05


def test_sphere_is_met_to_a_quarter_millimetre_on_all_sides() -> None:
    count, radius = 20000, 0.1
    i = np.arange(count) + 0.5
    z, turn = 1 - 2 * i / count, i * np.pi * (1 + np.sqrt(5))
    normal = np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], axis=1)
    eyes = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    scene = splats(normal * radius, normal, 0.0025)
    surface = SplatSurface(bundle(scene, viewpoints_m=eyes))
    rng = np.random.default_rng(2)
    way = rng.normal(size=(3000, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    distance = rng.uniform(-0.02, 0.05, 3000)
    got = surface.query(way * (radius + distance)[:, None])
    np.testing.assert_allclose(got.distance_m, distance, atol=2.5e-4)
    assert np.sum(got.normal * way, axis=1).min() > 0.995
    np.testing.assert_allclose(got.point_m, way * radius, atol=2e-3)


def test_a_box_is_met_on_its_top_and_sides() -> None:
    half = 0.05
    face = grid((-half, -half), (half, half), 0.004)
    points, normals = [], []
    for axis in range(3):
        for side in (-1.0, 1.0):
            if axis == 2 and side < 0:
                continue  # it stands on something
            spot = np.insert(face, axis, side * half, axis=1)
            points.append(spot)
            normals.append(np.broadcast_to(side * np.eye(3)[axis], spot.shape))
    surface = SplatSurface(bundle(splats(np.concatenate(points), np.concatenate(normals), 0.004)))
    asked = np.array([[0, 0, 0.06], [0.06, 0, 0], [-0.06, 0.01, 0.0], [0, -0.052, 0.01], [0, 0, 0.047], [0.048, 0, 0]])
    got = surface.query(asked)
    np.testing.assert_allclose(got.distance_m, [0.01, 0.01, 0.01, 0.002, -0.003, -0.002], atol=3e-4)
    corner = np.array([[half + 0.01, 0.0, half + 0.01], [half + 0.01, 0.0, half - 0.01]])
    np.testing.assert_allclose(surface.query(corner).distance_m, [0.01 * np.sqrt(2), 0.01], atol=0.002)


def test_normals_point_to_the_viewpoints(plane: SplatScene) -> None:
    below = SplatSurface(bundle(plane, viewpoints_m=np.array([[0.0, 0.0, -1.0]])))
    got = below.query(column(0, 0, [-0.01, 0.01]))
    np.testing.assert_allclose(got.distance_m, [0.01, -0.01], atol=1e-5)
    blind = SplatSurface(bundle(plane, viewpoints_m=np.zeros((0, 3))))
    np.testing.assert_allclose(blind.query(column(0, 0, [0.01])).distance_m, [0.01], atol=1e-5)


def test_a_side_that_the_nearest_camera_cannot_see_still_faces_out() -> None:
    """The back of a block: its nearest camera stands in front of the block."""
    face = grid((-0.05, -0.05), (0.05, 0.05), 0.004)
    points, normals = [], []
    for axis, side in ((0, -1.0), (0, 1.0), (1, -1.0), (1, 1.0), (2, 1.0)):
        spot = np.insert(face, axis, side * 0.05, axis=1)
        points.append(spot)
        normals.append(np.broadcast_to(side * np.eye(3)[axis], spot.shape))
    eyes = np.array([[-0.6, 0.0, 0.1], [1.5, 0.0, 0.1]])
    surface = SplatSurface(bundle(splats(np.concatenate(points), np.concatenate(normals), 0.004), viewpoints_m=eyes))
    assert surface.query(np.array([[0.06, 0.0, 0.0]])).distance_m[0] == pytest.approx(0.01, abs=3e-4)


def test_material_is_that_of_the_neighbourhood(plane: SplatScene) -> None:
    labels = np.where(plane.means[:, 0] > 0, 1, 0).astype(np.uint8)
    labels[plane.means[:, 1] > 0.3] = 255
    surface = SplatSurface(bundle(plane, labels=labels))
    got = surface.query(np.array([[0.1, 0, 0.002], [-0.1, 0, 0.002], [0.0, 0.19, 0.002], [0.0, 0.0, 0.0]]))
    assert got.material[:3].tolist() == [1, 0, -1]
    assert got.material_share[:3] == pytest.approx([1, 1, 0], abs=1e-3)
    assert got.material_share[3] == pytest.approx(0.5, abs=0.1)


def test_haze_is_no_surface(plane: SplatScene) -> None:
    rng = np.random.default_rng(3)
    air = rng.uniform([-0.2, -0.2, 0.01], [0.2, 0.2, 0.1], (3000, 3))
    way = rng.normal(size=air.shape)
    haze = splats(air, way / np.linalg.norm(way, axis=1, keepdims=True), 0.005)
    both = {
        name: np.concatenate([getattr(plane, name), getattr(haze, name)])
        for name in ("means", "scales", "quats_wxyz", "sh")
    }
    opacities = np.concatenate([plane.opacities, np.full(len(haze), 0.1, np.float32)])
    scene = SplatScene(**both, opacities=opacities)
    got = SplatSurface(bundle(scene, labels=np.zeros(len(scene), np.uint8))).query(column(0, 0, [0.02]))
    assert got.distance_m[0] == pytest.approx(0.02, abs=1e-5)


def test_a_scene_of_haze_only_is_refused(plane: SplatScene) -> None:
    scene = replace(plane, opacities=np.full(len(plane), 0.05, np.float32))
    with pytest.raises(
        ValueError, match=r"SplatSurface\('test'\): wanted Gaussians with opacity of 0.3 or more, got none"
    ):
        SplatSurface(bundle(scene))


def test_fewer_gaussians_than_neighbours_do() -> None:
    scene = splats([[0, 0, 0]], [[0, 0, 1.0]], 0.01)
    got = SplatSurface(bundle(scene)).query(column(0, 0, [0.01]))
    assert got.distance_m[0] == pytest.approx(0.01, abs=1e-6)


def test_no_points_and_wrong_shape(plane: SplatScene) -> None:
    surface = SplatSurface(bundle(plane))
    assert surface.query(np.zeros((0, 3))).distance_m.shape == (0,)
    with pytest.raises(ValueError, match=r"points_m wanted shape \(M, 3\), got \(3,\)"):
        surface.query(np.zeros(3))


def test_noisy_splats_still_give_the_plane(plane: SplatScene) -> None:
    rng = np.random.default_rng(4)
    means = plane.means + rng.normal(0.0, 0.0005 / 0.4, plane.means.shape).astype(np.float32)
    surface = SplatSurface(bundle(replace(plane, means=means)))
    asked = np.concatenate([rng.uniform(-0.15, 0.15, (500, 2)), np.full((500, 1), 0.004)], axis=1)
    assert np.abs(surface.query(asked).distance_m - 0.004).max() < 0.0012


def test_ten_thousand_questions_take_less_than_a_second(plane: SplatScene) -> None:
    surface = SplatSurface(bundle(plane))
    asked = np.random.default_rng(5).uniform([-0.25, -0.25, -0.02], [0.25, 0.25, 0.09], (10_000, 3))
    surface.query(asked[:100])
    start = time.process_time()
    surface.query(asked)
    assert time.process_time() - start < 1.0


def test_an_answer_does_not_depend_on_what_else_is_asked(plane: SplatScene) -> None:
    surface = SplatSurface(bundle(plane, labels=np.zeros(len(plane), np.uint8)))
    asked = np.random.default_rng(6).uniform([-0.25, -0.25, -0.02], [0.25, 0.25, 0.09], (9000, 3))
    asked[17] = np.inf
    together = surface.query(asked)
    for first in (0, 4090, 8979):
        alone = surface.query(asked[first : first + 21])
        for name in ("distance_m", "normal", "point_m", "material", "material_share"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(together, name)[first : first + 21])
