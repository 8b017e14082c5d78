"""Which windows are cut, and who is on which side."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from hearing_hands_ros.compare.scoring.touch import LEAD_S, SEGMENT_S
from hearing_hands_ros.data.from_bags.settings import SHORTEST_S, BuildSettings
from hearing_hands_ros.data.from_bags.sound_line import SoundLineMaker
from hearing_hands_ros.data.from_bags.split import divided, split_of
from hearing_hands_ros.data.from_bags.windows import APART_S, Placed, cut_windows
from hearing_hands_ros.predictors.protocol import Contact
from hearing_hands_ros.sound.capture.block import Block

NS = 1_000_000_000
RATE = 30
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def contact(start_s, end_s, position=(0.0, 0.0, 0.0), material="wood"):
    return Contact(round(start_s * NS), round(end_s * NS), 1, material, position, (0.0, 0.0, 1.0), 0.3, 0.0, "tap")


def random_touches(seed, count=120):
    """Touches of all lengths, some of which begin before the one before has ended, on random sides."""
    rng = np.random.default_rng(seed)
    starts = 5.0 + np.cumsum(rng.exponential(1.2, count))
    lasts = rng.exponential(0.3, count)
    sides = rng.choice(["train", "val", "test", None], count, p=[0.7, 0.1, 0.1, 0.1])
    return [
        Placed(contact(start, start + last), (int(number), 0, 0), None if side is None else str(side))
        for number, (start, last, side) in enumerate(zip(starts, lasts, sides, strict=True))
    ]


@pytest.mark.parametrize("seed", range(20))
def test_no_window_overlaps_another_or_hears_a_touch_of_another_split(seed):
    placed = random_touches(seed)
    span = (4 * NS, placed[-1].contact.end_ns + 20 * NS)
    settings = BuildSettings(window_s=4.0)
    full, empty, left_out = cut_windows(placed, span, RATE, settings, np.random.default_rng(seed))
    assert full
    assert empty
    spans = sorted(cut.span_ns(RATE) for cut in full + empty)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert span[0] <= spans[0][0]
    assert spans[-1][1] <= span[1]
    for cut in full + empty:
        begin, end = cut.span_ns(RATE)
        assert SHORTEST_S * NS - 1 <= end - begin <= settings.window_s * NS
        others = [p.contact for p in placed if p.side != cut.side]
        assert not any(touch.start_ns < end and touch.end_ns + APART_S * NS > begin for touch in others)
    for cut in empty:
        begin, end = cut.span_ns(RATE)
        assert not any(p.contact.start_ns < end and p.contact.end_ns > begin for p in placed)
    inside = [sum(begin <= p.contact.start_ns < end for begin, end in spans) for p in placed]
    assert set(inside) <= {0, 1}
    assert sum(cut.touches for cut in full) + left_out.total() == len(placed)


def test_touches_close_together_on_one_side_share_a_window_and_are_not_lost():
    placed = [Placed(contact(5.0 + 0.5 * n, 5.1 + 0.5 * n), (0, 0, 0), "train") for n in range(8)]
    full, _, left_out = cut_windows(placed, (0, 20 * NS), RATE, BuildSettings(), np.random.default_rng(1))
    assert sum(cut.touches for cut in full) == 8
    assert len(full) == 2
    assert not left_out.total()


@pytest.mark.parametrize("seed", range(20))
def test_touches_with_a_second_between_them_are_all_in_a_window_with_what_a_comparator_hears_of_them(seed):
    rng = np.random.default_rng(seed)
    lasts = np.minimum(rng.exponential(0.3, 120), 2.0)
    starts = 5.0 + np.cumsum(1.2 + rng.exponential(0.6, 120)) + np.concatenate([[0.0], np.cumsum(lasts)[:-1]])
    sides = rng.choice(["train", "val", "test"], 120, p=[0.7, 0.15, 0.15])
    touches = [contact(start, start + last) for start, last in zip(starts, lasts, strict=True)]
    placed = [Placed(touch, (n, 0, 0), str(side)) for n, (touch, side) in enumerate(zip(touches, sides, strict=True))]
    span = (0, touches[-1].end_ns + 10 * NS)
    full, _, left_out = cut_windows(placed, span, RATE, BuildSettings(), np.random.default_rng(seed))
    assert not left_out.total()
    spans = [cut.span_ns(RATE) for cut in full]
    for touch in touches:
        before_ns, after_ns = (
            touch.start_ns - round(LEAD_S * NS),
            max(touch.start_ns + round(SEGMENT_S * NS), touch.end_ns),
        )
        assert sum(begin <= before_ns and after_ns <= end for begin, end in spans) == 1
    leads = [min(t.start_ns for t in touches if t.start_ns >= begin) - begin for begin, _ in spans]
    assert np.ptp(leads) > 0.3 * NS  # not all begin alike


def test_each_side_gets_its_share_of_each_material_and_places_are_whole():
    rng = np.random.default_rng(3)
    found = {
        (n, 0, 0): Counter({str(rng.choice(["wood", "metal", "stone"])): int(rng.integers(1, 9))}) for n in range(150)
    }
    sides = divided(found, SHARES, np.random.default_rng(0))
    assert sides.keys() == found.keys()
    for material in ("wood", "metal", "stone"):
        total = sum(counts[material] for counts in found.values())
        for side, share in SHARES.items():
            got = sum(counts[material] for key, counts in found.items() if sides[key] == side) / total
            assert got == pytest.approx(share, abs=0.05)


def test_a_few_places_still_give_something_to_each_side_and_one_goes_to_training():
    three = divided({n: Counter({"wood": 5}) for n in range(3)}, SHARES, np.random.default_rng(0))
    assert sorted(three.values()) == ["test", "train", "val"]
    assert divided({1: Counter({"wood": 5})}, SHARES, np.random.default_rng(0)) == {1: "train"}


def test_held_out_by_both_leaves_nothing_in_common_and_says_so():
    touches = {
        name: [contact(n, n + 0.1, (0.1 * n + 0.05, 0.0, 0.0)) for n in range(20)] for name in ("a", "b", "c", "d")
    }
    split = split_of(touches, BuildSettings(split="both", val_share=0.25, test_share=0.25))
    sides = {}
    for name in touches:
        for place in split.places:
            side = split.side(name, place)
            if side is not None:
                sides.setdefault(side, []).append((name, place))
    assert set(sides) == {"train", "val", "test"}
    for one in sides:
        for other in set(sides) - {one}:
            assert not {name for name, _ in sides[one]} & {name for name, _ in sides[other]}
            assert not {place for _, place in sides[one]} & {place for _, place in sides[other]}
    assert "of other recordings and of other places" in split.notes[0]


def test_with_one_recording_nothing_is_held_out_by_recording_and_it_is_said():
    split = split_of({"only": [contact(1, 2), contact(3, 4)]}, BuildSettings(split="recording"))
    assert split.side("only", (5, 5, 5)) == "train"
    assert split.notes[-1] == "with 1 recording, nothing is left for val and test"


def test_sound_is_cut_at_its_time_without_a_seam_though_the_clock_of_the_sound_card_drifts():
    maker, rate, drift = SoundLineMaker(16_000, lag_ns=250_000_000), 16_000, 1.0 + 2e-4
    wave = np.random.default_rng(0).normal(0.0, 0.1, 60 * rate).astype(np.float32)
    for first in range(0, len(wave), 320):
        stamp = 100 * NS + round(first / rate * drift * NS)
        maker.take([Block(wave[first : first + 320], rate, 1, stamp)], jumped=False)
    line = maker.line()
    for at_s in (3.0, 31.7, 55.0):
        piece = line.cut(100 * NS + round(at_s * NS) - 250_000_000, 4 * rate)
        begin = round(at_s / drift * rate)
        found = [offset for offset in range(-8, 9) if np.array_equal(piece, wave[begin + offset :][: 4 * rate])]
        assert len(found) == 1
        assert abs(found[0]) <= 4  # a quarter of a millisecond
    assert line.cut(100 * NS + 58 * NS, 4 * rate) is None
    assert line.cut(99 * NS, 100) is None


def test_a_window_with_lost_sound_is_not_cut():
    maker, rate = SoundLineMaker(16_000, lag_ns=0), 16_000
    wave = np.random.default_rng(0).normal(0.0, 0.1, 10 * rate).astype(np.float32)
    for number, first in enumerate(range(0, len(wave), 320)):
        lost = np.ones(320, bool) if number == 250 else None
        maker.take([Block(wave[first : first + 320], rate, 1, round(first / rate * NS), lost=lost)], jumped=False)
    line = maker.line()
    assert line.cut(4 * NS, 2 * rate) is None
    assert line.cut(4 * NS, rate // 2) is not None
    assert np.array_equal(line.cut(6 * NS, 2 * rate), wave[6 * rate : 8 * rate])


@pytest.mark.parametrize(
    ("field", "value"),
    [("window_s", 0.5), ("empty_share", 1.0), ("val_share", 0.95), ("place_m", 0.0), ("split", "window")],
)
def test_a_setting_that_is_not_possible_is_named(field, value):
    with pytest.raises(ValueError, match=f"{field} wanted|{field} and test_share wanted"):
        BuildSettings(**{field: value})
