"""The renderers make the same pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from motorcycle import motorcycle
from render_scenes import GREY, assert_agree, camera, cloud, reference

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.render import SplatRenderer
from hearing_hands_ros.scene.render.model import CameraBatch
from hearing_hands_ros.scene.render.numba_rasterizer import NumbaRasterizer
from hearing_hands_ros.scene.splats import SplatScene, read_splats

DEMO = Path(__file__).parents[3] / "demo" / "scene" / "scene.spz"
CUDA = torch.cuda.is_available()
OTHERS = [
    "numba",
    "torch",
    pytest.param(
        "gsplat", marks=pytest.mark.skipif(not CUDA, reason="gsplat renders with CUDA only, and none is here")
    ),
]


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_random_scene_at_every_degree_of_harmonics(backend: str, degree: int) -> None:
    scene = cloud(2000, degree, seed=degree)
    got = SplatRenderer(scene, backend).render([camera()], background=GREY)
    assert got.rgb.std() > 0.05  # there is something to compare
    assert_agree(got, reference(scene, camera()))


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["demo", "motorcycle"])
def test_a_real_scene_at_every_degree_of_harmonics(backend: str, name: str, degree: int) -> None:
    """Neither scene has harmonics of its own above the constant one: those are random and small."""
    photographed = motorcycle(40_000)
    scene = read_splats(DEMO) if name == "demo" else photographed.splats
    if degree:
        scene = scene.with_sh_degree(degree)
        scene.sh[:, 1:] = np.random.default_rng(degree).normal(0.0, 0.1, scene.sh[:, 1:].shape)
    if name == "demo":
        middle, reach = scene.means.mean(axis=0), float(np.ptp(scene.means, axis=0).max())
        view = Camera.look_at(name, middle + [0.2 * reach, 0.15 * reach, 0.4 * reach], middle, (0, 0, 1), 48, 60.0)
    else:
        view = photographed.left.resized(64, 48)
    got = SplatRenderer(scene, backend).render([view], background=GREY)
    assert got.alpha.mean() > 0.5
    assert_agree(got, reference(scene, view))


@pytest.mark.parametrize("backend", OTHERS)
def test_camera_inside_the_cloud(backend: str) -> None:
    scene = cloud(3000, 1, seed=5)
    inside = camera(position=(0.2, -0.1, 0.3), fov_deg=90.0)
    assert_agree(SplatRenderer(scene, backend).render([inside], background=GREY), reference(scene, inside))


@pytest.mark.parametrize(
    "sizes", [(1e-6, 1e-5), (2.0, 30.0), (1e-4, 100.0)], ids=["tiny", "huge", "needles and plates"]
)
def test_sizes_far_from_usual(sizes: tuple[float, float]) -> None:
    scene = cloud(400, 1, seed=6, sizes=sizes)
    for view in (camera(), camera(position=(0.1, 0.1, 0.2), fov_deg=110.0)):
        assert_agree(SplatRenderer(scene, "numba").render([view], background=GREY), reference(scene, view), 0.005)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40), (16, 16), (17, 33), (224, 3)])
def test_any_size_of_picture(width: int, height: int) -> None:
    scene = cloud(500, sizes=(0.05, 0.3))
    view = camera(width, height)
    got = SplatRenderer(scene, "numba").render([view], background=GREY)
    assert got.rgb.shape == (1, height, width, 3)
    assert_agree(got, reference(scene, view))


@pytest.mark.parametrize("backend", OTHERS)
def test_many_cameras_are_each_the_picture_of_one(backend: str) -> None:
    scene = cloud(800, 2, sizes=(0.02, 0.2))
    views = [camera(position=(3 * np.sin(a), -3 * np.cos(a), 0.4)) for a in np.linspace(0.0, 6.0, 7)]
    renderer = SplatRenderer(scene, backend)
    together = renderer.render(views, background=GREY)
    assert_agree(together, reference(scene, *views))
    for c in (0, 6):
        alone = renderer.render([views[c]], background=GREY)
        np.testing.assert_allclose(together.rgb[c], alone.rgb[0], atol=1e-6)


@pytest.mark.parametrize("backend", OTHERS)
def test_nothing_in_view_leaves_the_background(backend: str) -> None:
    behind = cloud(200, means=np.random.default_rng(1).uniform(-1, 1, (200, 3)) + [0.0, -9.0, 0.0])
    faint = cloud(200, opacities=np.full(200, 0.003))
    for scene in (behind, faint):
        got = SplatRenderer(scene, backend).render([camera()], background=GREY)
        np.testing.assert_allclose(got.rgb, np.broadcast_to(np.float32(GREY), got.rgb.shape), atol=1e-6)
        assert not got.alpha.any()
        assert not got.depth.any()


@pytest.mark.parametrize("backend", OTHERS)
def test_an_opaque_wall_hides_what_is_behind_and_has_its_depth(backend: str) -> None:
    x, z = np.meshgrid(np.linspace(-2, 2, 60), np.linspace(-2, 2, 60))
    wall = np.stack([x.ravel(), np.full(x.size, -1.0), z.ravel()], axis=1)
    means = np.concatenate([wall, wall + [0.0, 1.0, 0.0]]).astype(np.float32)
    rgb = np.repeat([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], x.size, axis=0)
    n = len(means)
    scene = SplatScene.from_rgb(
        means,
        np.full((n, 3), 0.06, np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        np.full(n, 0.95, np.float32),
        rgb,
    )
    view = Camera.look_at("front", (0, -3, 0), (0, 0, 0), (0, 0, 1), 64, 40.0)
    got = SplatRenderer(scene, backend).render([view])
    np.testing.assert_allclose(got.rgb[0], np.broadcast_to([1.0, 0.0, 0.0], (64, 64, 3)), atol=0.02)
    np.testing.assert_allclose(got.depth[0], 2.0, atol=0.02)
    assert got.alpha.min() > 0.99


@pytest.mark.parametrize("backend", OTHERS)
def test_an_extra_is_drawn_at_its_depth_as_if_it_were_part_of_the_scene(backend: str) -> None:
    scene, hands = cloud(600, 2, sizes=(0.03, 0.2)), [cloud(50, 0, seed=s, sizes=(0.1, 0.2)) for s in (8, 9)]
    views = [camera(), camera(position=(2.0, 2.0, 0.5))]
    renderer = SplatRenderer(scene, backend)
    one_each = renderer.render(views, hands, GREY)
    for c, hand in enumerate(hands):
        merged = SplatScene.concatenate([scene, hand])
        assert_agree(
            type(one_each)(one_each.rgb[c : c + 1], one_each.depth[c : c + 1], one_each.alpha[c : c + 1]),
            reference(merged, views[c]),
        )
    assert_agree(renderer.render(views, hands[0], GREY), reference(SplatScene.concatenate([scene, hands[0]]), *views))
    assert_agree(renderer.render(views, background=GREY), reference(scene, *views))  # and is gone again


def test_the_same_picture_every_time_and_with_any_number_of_threads() -> None:
    scene = cloud(30_000, 1, seed=3)
    scene.means[15_000:] = scene.means[:15_000]  # equal depths: the order among them must not change
    first = SplatRenderer(scene, "numba").render([camera()])
    again = SplatRenderer(scene, "numba").render([camera()])
    for name in ("rgb", "depth", "alpha"):
        assert (getattr(first, name) == getattr(again, name)).all()
    for threads in (1, 3):
        other = NumbaRasterizer(scene, threads).render(CameraBatch.of([camera()]), [None], (0.0, 0.0, 0.0))
        assert (other.rgb == first.rgb).all()
