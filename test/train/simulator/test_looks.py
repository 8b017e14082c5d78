from __future__ import annotations

import numpy as np
from made_encoder import PatchColours

from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.predictors.protocol import Contact
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.train.simulator.looks import Looks
from hearing_hands_ros.train.simulator.workcell import Workcell

SPOTS = 3


def test_touches_of_one_thing_look_alike_and_of_others_different(cell: Workcell, cell_surface: SplatSurface) -> None:
    rng, contacts = np.random.default_rng(0), []
    for patch in cell.patches:
        for spot in [patch.spot(rng) for _ in range(SPOTS)]:
            point = cell.scene_from_cell.apply(spot.point[None])[0]
            normal = cell.scene_from_cell.rotation.apply(spot.normal)
            contacts.append(Contact(0, 1, 0, "", tuple(point), tuple(normal), 0.1, 0.0, "tap"))
    features = Looks(cell.bundle, cell_surface, PatchColours()).bare(contacts).astype(np.float64)
    apart = np.linalg.norm(features[:, None] - features[None], axis=-1)
    patch_of = np.arange(len(features)) // SPOTS
    same = (patch_of[:, None] == patch_of) & ~np.eye(len(features), dtype=bool)
    assert apart[same].mean() < 0.75 * apart[patch_of[:, None] != patch_of].mean()


def test_the_hand_is_in_the_picture_where_it_was_rendered(made: Dataset) -> None:
    items = [made.load(ref) for split in ("train", "test") for ref in made.items(split)]
    rendered = skipped = 0
    for item in items:
        assert np.isfinite(item.contact_local).all() and item.scene_views.shape == (2, PatchColours.dim)
        for bare, hand in zip(item.contact_local, item.contact_local_hand, strict=True):
            if np.isnan(hand).any():
                assert np.isnan(hand).all()
                skipped += 1
            else:
                assert np.abs(bare - hand).max() > 0.05
                rendered += 1
    assert rendered > 3 and skipped > 0
