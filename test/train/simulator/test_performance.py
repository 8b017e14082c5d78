from __future__ import annotations

import numpy as np
import pytest

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.train.simulator.effectors import Effector
from hearing_hands_ros.train.simulator.performance import Performance, perform
from hearing_hands_ros.train.simulator.sounds import hear
from hearing_hands_ros.train.simulator.voices import Voice
from hearing_hands_ros.train.simulator.workcell import Workcell

ACTIONS = ("tap", "double_tap", "knock", "slide", "scratch", "near_miss")


@pytest.fixture(scope="module")
def performances(cell: Workcell, cell_surface: SplatSurface) -> dict[str, Performance]:
    return {
        action: perform(cell, cell_surface, 4.0, np.random.default_rng([5, number]), action)
        for number, action in enumerate(ACTIONS)
    }


def strokes(performance: Performance) -> list[float]:
    """True times of touch in the window, s."""
    found = [s.start_s for _, gestures in performance.hands for g in gestures if g.touches for s in g.strokes]
    return sorted(start for start in found if 0.05 < start < 3.95)


def test_a_patch_is_where_the_splats_are_and_has_its_label(cell: Workcell, cell_surface: SplatSurface) -> None:
    rng = np.random.default_rng(0)
    for patch in cell.patches:
        spots = [patch.spot(rng) for _ in range(5)]
        answer = cell_surface.query(cell.scene_from_cell.apply(np.array([spot.point for spot in spots])))
        np.testing.assert_allclose(answer.distance_m, 0.0, atol=0.002)
        normals = cell.scene_from_cell.rotation.apply([spot.normal for spot in spots])
        assert np.einsum("ni,ni->n", normals, answer.normal).min() > 0.95
        assert {cell.bundle.material_names[i] for i in answer.material} == {patch.material}


def test_the_tracker_finds_the_touches_when_they_are(performances: dict[str, Performance]) -> None:
    wanted = got = 0
    for action in ACTIONS[:-1]:
        found = np.array([c.start_ns / NANOSECONDS for c in performances[action].seen.contacts])
        late = [np.abs(found - start).min(initial=1.0) for start in strokes(performances[action])]
        wanted += len(late)
        got += sum(off < 0.04 for off in late)
    assert wanted > 15 and got >= 0.9 * wanted


def test_a_near_miss_comes_near_and_touches_nothing(
    performances: dict[str, Performance], cell_surface: SplatSurface, bank: ExampleBank, cell: Workcell
) -> None:
    performance = performances["near_miss"]
    assert performance.seen.contacts == ()
    keypoints = performance.seen.keypoints[performance.seen.valid]
    assert 0.008 < float(cell_surface.query(keypoints.reshape(-1, 3)).distance_m.min()) < 0.045
    voices = [Voice(patch.material, bank, np.random.default_rng(1)) for patch in cell.patches]
    wave, groups = hear(performance.hands, voices, (0.0, 4.0), np.random.default_rng(2))
    assert 20 * np.log10(wave.std()) < -48.0 and groups == set()


def test_slides_and_scratches_are_slides_and_taps_are_taps(performances: dict[str, Performance]) -> None:
    for action, kind in (("tap", "tap"), ("knock", "tap"), ("slide", "slide"), ("scratch", "slide")):
        whole = [c.kind for c in performances[action].seen.contacts if c.start_ns > 0 and c.end_ns < 3.9e9]
        assert whole and sum(found == kind for found in whole) >= 0.75 * len(whole), action


def test_it_sounds_when_it_is_touched(performances: dict[str, Performance], bank: ExampleBank, cell: Workcell) -> None:
    voices = [Voice(patch.material, bank, np.random.default_rng(1)) for patch in cell.patches]
    rises = []
    for action in ("tap", "double_tap", "knock"):
        wave, _ = hear(performances[action].hands, voices, (0.0, 4.0), np.random.default_rng(2))
        for start in strokes(performances[action]):
            at = round(start * 16000)
            before, after = wave[max(0, at - 640) : at - 96], wave[at : at + 480]
            rises.append(20 * np.log10(after.std() / before.std()))
    assert len(rises) > 8
    assert np.mean(np.array(rises) > 3.0) > 0.9


def test_hands_move_as_hands_do(performances: dict[str, Performance]) -> None:
    for performance in performances.values():
        for hand in range(2):
            way = performance.seen.keypoints[performance.seen.valid[:, hand], hand]
            speed = np.linalg.norm(np.diff(way, axis=0), axis=-1) * 30.0
            assert speed.size == 0 or speed.max() < 4.0


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)])
@pytest.mark.parametrize("heading", [(0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.02, 0.02, 0.02)])
def test_a_hand_can_be_turned_to_every_surface(normal: tuple[float, ...], heading: tuple[float, ...]) -> None:
    turn = Effector.draw("finger", False, np.random.default_rng(1)).facing(np.array(normal), np.array(heading))
    pointing, back = turn.apply([[1.0, 0, 0], [0.0, 0, 1.0]])
    assert pointing @ normal < -0.4 and back @ normal > 0.3
