"""Baked features of a real, small scene: the demo's, in large cells."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.demo import hand
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.cells import SurfaceCells
from hearing_hands_ros.scene.hand_shape import HandShape
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import LocalView
from hearing_hands_ros.scene.views import Moment, SceneViews, ViewSettings
from hearing_hands_ros.vision.agreement import measure
from hearing_hands_ros.vision.baked import BakedFeatures
from hearing_hands_ros.vision.view_features import ViewFeatures

DEMO = Path(__file__).parents[2] / "demo" / "scene"
CELL_M = 0.06
VIEW = LocalView(size=48)


class ColourGrid:
    """A real, tiny encoder: mean colours of a 4 by 4 grid."""

    name, dim, image_size, licence = "grid", 48, 48, "none"
    seen = 0

    def encode(self, images: np.ndarray) -> np.ndarray:
        type(self).seen += len(images)
        blocks = images.reshape(len(images), 4, 12, 4, 12, 3).mean(axis=(2, 4)) / 255.0
        return blocks.reshape(len(images), -1).astype(np.float32)


@pytest.fixture(scope="module")
def views(bundle: SceneBundle, surface: SplatSurface) -> SceneViews:
    return SceneViews(bundle, surface, ViewSettings(local=VIEW), backend="numba")


@pytest.fixture(scope="module")
def baked(bundle: SceneBundle, surface: SplatSurface, views: SceneViews) -> BakedFeatures:
    return BakedFeatures.bake(bundle, surface, views, ColourGrid(), CELL_M)


def touch(bundle: SceneBundle, surface: SplatSurface, material: str) -> Moment:
    of_it = bundle.means_m[bundle.labels == bundle.material_names.index(material)]
    answer = surface.query(of_it[[np.argmin(((of_it - np.median(of_it, axis=0)) ** 2).sum(axis=1))]])
    point, normal = answer.point_m[0], answer.normal[0]
    keypoints = hand.touching(point, normal, np.cross(normal, [1.0, 0.2, 0.1]))
    both = np.stack([np.full((21, 3), np.nan), keypoints])
    return Moment(both, np.array([False, True]), hand=1, point_m=point, normal=normal)


def test_every_spot_of_the_surface_has_a_cell(bundle: SceneBundle, surface: SplatSurface, baked: BakedFeatures) -> None:
    rng = np.random.default_rng(1)
    answer = surface.query(bundle.means_m[rng.integers(0, len(bundle.means_m), 2000)])
    found = np.isfinite(answer.distance_m)
    cell = baked.cells.find(answer.point_m[found], answer.normal[found])
    assert (cell >= 0).mean() > 0.98
    usable = cell >= 0
    away = np.linalg.norm(baked.cells.points_m[cell[usable]] - answer.point_m[found][usable], axis=1)
    assert away.max() <= 1.5 * CELL_M


def test_two_sides_of_a_board_are_two_cells() -> None:
    cells = SurfaceCells(0.05, np.zeros((2, 3)), np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    np.testing.assert_array_equal(cells.find(np.zeros((2, 3)), [[0.0, 0.1, -1.0], [0.1, 0.0, 1.0]]), [1, 0])


def test_what_is_far_or_not_finite_has_no_cell(baked: BakedFeatures) -> None:
    points = np.array([[50.0, 0.0, 0.0], [np.nan, 0.0, 0.0]])
    features, cell = baked.find(points, np.tile([0.0, 0.0, 1.0], (2, 1)))
    np.testing.assert_array_equal(cell, [-1, -1])
    assert not features.any()


def test_it_comes_back_from_its_file(bundle: SceneBundle, baked: BakedFeatures, tmp_path: Path) -> None:
    path = BakedFeatures.path(tmp_path, baked.encoder, CELL_M)
    baked.save(path)
    again = BakedFeatures.load(path, bundle, ColourGrid(), VIEW)
    np.testing.assert_allclose(again.features, baked.features, atol=1e-3)
    np.testing.assert_allclose(again.cells.points_m, baked.cells.points_m, atol=1e-6)


def test_it_is_baked_once(bundle: SceneBundle, surface: SplatSurface, views: SceneViews, tmp_path: Path) -> None:
    first = BakedFeatures.of(tmp_path, bundle, surface, views, ColourGrid(), 0.3)
    ColourGrid.seen = 0
    again = BakedFeatures.of(tmp_path, bundle, surface, views, ColourGrid(), 0.3)
    assert ColourGrid.seen == 0
    assert len(again.cells) == len(first.cells)
    BakedFeatures.of(tmp_path, replace(bundle, sha256="0" * 64), surface, views, ColourGrid(), 0.3)
    assert ColourGrid.seen == len(first.cells)


@pytest.mark.parametrize("changed", ["splats", "scale", "view", "encoder"])
def test_features_of_something_else_are_refused(
    bundle: SceneBundle, baked: BakedFeatures, tmp_path: Path, changed: str
) -> None:
    baked.save(tmp_path / "features.npz")
    other, view, encoder = bundle, VIEW, ColourGrid()
    if changed == "splats":
        other = replace(bundle, sha256="0" * 64)
    elif changed == "scale":
        assert bundle.registration is not None
        old = bundle.registration
        larger = replace(old.parent_from_splat, scale=2 * old.parent_from_splat.scale)
        other = bundle.with_registration(replace(old, parent_from_splat=larger))
    elif changed == "view":
        view = replace(VIEW, width_m=0.2)
    else:
        encoder.name = "another"
    with pytest.raises(ValueError, match=r"(scene|encoder) wanted .*, got .*; bake again"):
        BakedFeatures.load(tmp_path / "features.npz", other, encoder, view)


@pytest.mark.parametrize("damage", ["cut", "pickle", "empty"])
def test_a_damaged_file_is_refused(bundle: SceneBundle, baked: BakedFeatures, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "features.npz"
    baked.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    elif damage == "pickle":
        np.savez(path, features=np.array([{"a": 1}], dtype=object))
    else:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=re.escape("wanted baked features, got a file that cannot be read")):
        BakedFeatures.load(path, bundle, ColourGrid(), VIEW)


def test_without_a_file_it_says_how_to_make_one(bundle: SceneBundle, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="hearing-hands scene bake"):
        BakedFeatures.load(tmp_path / "none.npz", bundle, ColourGrid(), VIEW)


def test_baked_costs_a_look_up_and_is_near_what_is_rendered(
    bundle: SceneBundle, surface: SplatSurface, views: SceneViews, baked: BakedFeatures
) -> None:
    moment = touch(bundle, surface, "grass")
    exact = ViewFeatures(views, ColourGrid(), bundle.sha256).moments([moment])
    ColourGrid.seen = 0
    looked_up = ViewFeatures(views, ColourGrid(), bundle.sha256, baked, "baked").moments([moment])
    assert ColourGrid.seen == 1  # the global view
    assert looked_up.baked.all()
    assert not exact.baked.any()
    bare = ColourGrid().encode(views.look_at_surface(moment.point_m[None], moment.normal[None]))[0]  # type: ignore[index]
    assert np.abs(looked_up.local[0] - bare).mean() < 0.1
    np.testing.assert_array_equal(looked_up.scene, exact.scene)


def test_bare_shows_the_touched_place_without_the_hand(
    bundle: SceneBundle, surface: SplatSurface, views: SceneViews
) -> None:
    moment = touch(bundle, surface, "grass")
    wanted = ColourGrid().encode(views.look_at_surface(moment.point_m[None], moment.normal[None]))  # type: ignore[index]
    with_hand, bare = (
        ViewFeatures(views, ColourGrid(), bundle.sha256, mode=mode).touches([moment])[0] for mode in ("exact", "bare")
    )
    np.testing.assert_array_equal(bare, wanted)
    assert np.abs(with_hand - wanted).max() > 0.1


def test_a_touch_that_is_told_again_is_not_looked_at_again(
    bundle: SceneBundle, surface: SplatSurface, views: SceneViews
) -> None:
    features = ViewFeatures(views, ColourGrid(), bundle.sha256, mode="bare")
    grass, wood = touch(bundle, surface, "grass"), touch(bundle, surface, "wood")
    first, _ = features.touches([grass])
    asked = features.cache.misses
    both, _ = features.touches([grass, wood])
    assert features.cache.misses == asked + 1
    np.testing.assert_array_equal(both[0], first[0])
    assert features.touches([])[0].shape == (0, ColourGrid().dim)


def test_auto_renders_where_the_surface_changes(
    bundle: SceneBundle, surface: SplatSurface, views: SceneViews, baked: BakedFeatures
) -> None:
    order = np.argsort(baked.steadiness)
    moments = []
    for cell in (order[0], order[-1]):
        point, normal = baked.cells.points_m[cell], baked.cells.normals[cell]
        moments.append(replace(touch(bundle, surface, "grass"), point_m=point, normal=normal))
    features = ViewFeatures(views, ColourGrid(), bundle.sha256, baked, "auto").moments(moments)
    np.testing.assert_array_equal(features.baked, [baked.steadiness[order[0]] >= 0.7, True])


def test_where_nothing_is_touched_it_renders(bundle: SceneBundle, views: SceneViews, baked: BakedFeatures) -> None:
    nobody = Moment(np.full((2, 21, 3), np.nan), np.zeros(2, bool))
    assert not ViewFeatures(views, ColourGrid(), bundle.sha256, baked, "baked").moments([nobody]).baked.any()


def test_what_was_rendered_is_kept(bundle: SceneBundle, surface: SplatSurface, views: SceneViews) -> None:
    features = ViewFeatures(views, ColourGrid(), bundle.sha256)
    first = features.moments([touch(bundle, surface, "sand")])
    ColourGrid.seen = 0
    again = features.moments([touch(bundle, surface, "sand")])
    assert ColourGrid.seen == 0
    np.testing.assert_array_equal(first.local, again.local)


def test_another_gripper_is_another_view(bundle: SceneBundle, surface: SplatSurface, views: SceneViews) -> None:
    hands = touch(bundle, surface, "sand")
    features = ViewFeatures(views, ColourGrid(), bundle.sha256)
    red, blue = (HandShape(rgb=colour).gaussians(hands.keypoints_m[1]) for colour in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    first = features.moments([replace(hands, body=red)])
    second = features.moments([replace(hands, body=blue)])
    assert np.abs(first.local - second.local).max() > 0.2


def test_no_moments_are_refused(bundle: SceneBundle, views: SceneViews) -> None:
    with pytest.raises(ValueError, match="wanted one or more moments, got none"):
        ViewFeatures(views, ColourGrid(), bundle.sha256).moments([])


def test_modes_need_baked_features(bundle: SceneBundle, views: SceneViews) -> None:
    with pytest.raises(ValueError, match="mode 'auto' wanted baked features, got none"):
        ViewFeatures(views, ColourGrid(), bundle.sha256, None, "auto")
    with pytest.raises(ValueError, match="mode wanted one of"):
        ViewFeatures(views, ColourGrid(), bundle.sha256, None, "fast")  # type: ignore[arg-type]


def test_agreement_tells_how_good_baking_is(surface: SplatSurface, views: SceneViews, baked: BakedFeatures) -> None:
    result = measure(baked, surface, views, ColourGrid(), touches=24)
    assert np.median(result.bare) > np.median(result.other)
    assert result.materials == 8
    assert 1 / 8 < result.right["baked"] <= 1.0
    assert 0.0 <= result.same <= 1.0
