"""How far baked features are from rendered ones, and whether that changes what is predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.demo import hand
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.views import Moment, SceneViews
from hearing_hands_ros.vision.baked import BakedFeatures
from hearing_hands_ros.vision.encoder import Features, ImageEncoder

Array = NDArray[np.float64]

BATCH = 16
RIDGE = 0.01  # of the probe, for each standardised feature and a cell of average weight


@dataclass(frozen=True)
class Agreement:
    """N simulated touches, looked up and rendered.

    Attributes:
        bare: (N,) cosine between looked-up and rendered feature without the hand.
        hand: (N,) likewise with the hand in the picture.
        other: (N,) cosine with a cell of another material, for scale; with any cell where there are no materials.
        right: Share of the touches whose material a linear probe tells from baked, from bare and from hand features;
            NaN without labels. The probe never saw the part of the scene that is touched.
        same: Share of the touches for which looked-up and rendered (with the hand) lead to the same material, and so to
            the same recordings of an example-based predictor; NaN without labels.
        materials: Labels that were told apart.
    """

    bare: Array
    hand: Array
    other: Array
    right: dict[str, float]
    same: float
    materials: int


def measure(
    baked: BakedFeatures,
    surface: SplatSurface,
    views: SceneViews,
    encoder: ImageEncoder,
    touches: int = 64,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Agreement:
    """Touch random spots of the surface with a simulated hand and compare.

    Args:
        baked: Of the scene.
        surface: Of the scene.
        views: Of the scene, with the view that was baked.
        encoder: That was baked with.
        touches: N.
        seed: Of the choice.
        progress: Told (touches done, touches in all).
    """
    rng = np.random.default_rng(seed)
    cells = baked.cells
    spread = 0.5 * cells.cell_m * rng.uniform(-1, 1, (touches, 3))
    chosen = rng.permutation(len(cells))[np.arange(touches) % len(cells)]
    spread -= cells.normals[chosen] * np.einsum("ni,ni->n", spread, cells.normals[chosen])[:, None]
    asked = surface.query(cells.points_m[chosen] + spread)
    found = np.isfinite(asked.distance_m)
    points, normals = asked.point_m[found], asked.normal[found]
    moments = [_touch(point, normal, rng) for point, normal in zip(points, normals, strict=True)]
    bare, with_hand = [], []
    for first in range(0, len(moments), BATCH):
        part = slice(first, first + BATCH)
        bare.append(encoder.encode(views.look_at_surface(points[part], normals[part])))
        with_hand.append(encoder.encode(views.look(moments[part]).local_rgb))
        if progress is not None:
            progress(min(first + BATCH, len(moments)), len(moments))
    rendered = {"bare": np.concatenate(bare), "hand": np.concatenate(with_hand)}
    looked_up, cell = baked.find(points, normals)
    usable = cell >= 0
    looked_up, cell = looked_up[usable], cell[usable]
    rendered = {name: features[usable] for name, features in rendered.items()}

    at_cells = surface.query(cells.points_m).material
    label = at_cells[cell]
    strangers = np.array([rng.choice(_others(at_cells, index)) for index in cell])
    told = _tell(baked.features, at_cells, cells.points_m, cell, {"baked": looked_up, **rendered})
    return Agreement(
        bare=_cosine(looked_up, rendered["bare"]),
        hand=_cosine(looked_up, rendered["hand"]),
        other=_cosine(looked_up, baked.features[strangers]),
        right={name: _share(answers == label, label >= 0) for name, answers in told.items()},
        same=_share(told["baked"] == told["hand"], label >= 0),
        materials=len(np.unique(at_cells[at_cells >= 0])),
    )


def _touch(point: Array, normal: Array, rng: np.random.Generator) -> Moment:
    heading = np.asarray(np.cross(normal, rng.normal(size=3)), np.float64)
    keypoints = np.stack([np.full((21, 3), np.nan), hand.touching(point, normal, heading)])
    return Moment(keypoints, np.array([False, True]), hand=1, point_m=point, normal=normal)


def _others(material: NDArray[np.int64], cell: int) -> NDArray[np.int64]:
    others = np.flatnonzero(material != material[cell])
    return others if len(others) else np.arange(len(material))


def _cosine(a: Features, b: Features) -> Array:
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("nd,nd->n", a, b) / np.maximum(scale, 1e-9), np.float64)


def _share(true: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(true[among].mean()) if among.any() else float("nan")


def _tell(
    features: Features, label: NDArray[np.int64], points: Array, cell: NDArray[np.int64], asked: dict[str, Features]
) -> dict[str, NDArray[np.int64]]:
    """Material of each asked feature by a ridge-regression probe on the cells of the other half of the scene."""
    told: dict[str, NDArray[np.int64]] = {name: np.full(len(values), -1, np.int64) for name, values in asked.items()}
    # Halves in blocks along the longest side, so that neighbours of a touch are not what the probe learned from.
    axis = int(np.argmax(np.ptp(points, axis=0)))
    rank = np.argsort(np.argsort(points[:, axis]))
    half = (8 * rank // len(points)) % 2
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    for side in (0, 1):
        learn = np.flatnonzero((half != side) & (label >= 0))
        names = np.unique(label[learn])
        test = half[cell] == side
        if not len(names) or not test.any():
            continue
        x = np.column_stack([(features[learn] - mean) / scale, np.ones(len(learn))]).astype(np.float64)
        y = (label[learn, None] == names).astype(np.float64)
        often = len(names) * y.mean(axis=0)[y.argmax(axis=1)]  # a frequent material's cells weigh less
        weights = x.T @ np.linalg.solve(x @ x.T + RIDGE * x.shape[1] * np.diag(often), y)
        for name, values in asked.items():
            z = np.column_stack([(values[test] - mean) / scale, np.ones(int(test.sum()))])
            told[name][test] = names[(z @ weights).argmax(axis=1)]
    return told
