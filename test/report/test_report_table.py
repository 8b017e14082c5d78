"""Which touches stand beside each other, and which of them can be seen and heard."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made_results import CARD, made_run, made_touches

from hearing_hands_ros.replay.result import ReplayResults
from hearing_hands_ros.report.card import card_html
from hearing_hands_ros.report.columns import names
from hearing_hands_ros.report.matching import rows
from hearing_hands_ros.report.media import difference_png, mel_png
from hearing_hands_ros.report.table import chosen, lines, outcome
from hearing_hands_ros.sequence import SequenceConfig


def replay(touches, **run):
    return ReplayResults(Path("replays") / str(run.get("bag", "a")), made_run(touches, **run))


def moved(touch, by_ms, **changed):
    return dataclasses.replace(touch, stamp_ns=touch.stamp_ns + by_ms * 10**6, **changed)


def test_the_same_touch_of_two_replays_is_one_row():
    touches = made_touches()
    later = [moved(touch, 5) for touch in touches]
    table = rows([replay(touches), replay(later)], [touches, later])
    assert len(table) == len(touches)
    assert all(one.number == other.number for one, other in (row.results for row in table))
    assert [row.time_s for row in table] == sorted(row.time_s for row in table)


def test_touches_of_other_recordings_hands_and_times_are_rows_of_their_own():
    touch = made_touches()[0]
    left, late = dataclasses.replace(touch, hand=0), moved(touch, 200)
    first, second = replay([touch]), replay([touch], bag="elsewhere.mcap")
    assert len(rows([first, second], [[touch], [touch]])) == 2
    assert len(rows([first, first], [[touch], [left]])) == 2
    assert len(rows([first, first], [[touch], [late]])) == 2


def test_odd_touches_are_heard_before_normal_ones_of_which_some_from_everywhere_are():
    table = lines(rows([replay(made_touches())], [made_touches()]))
    taken = chosen(table, 25)
    odd = [line for line in table if line.touch.verdict != "NORMAL"]
    assert len(taken) == 25
    assert all(line in taken for line in odd)
    normal = [line.time_s for line in taken if line not in odd]
    assert min(normal) < 10.0
    assert max(normal) > 45.0
    assert chosen(table, 0) == []
    assert len(chosen(table, 1000)) == len(table)


@pytest.mark.parametrize(
    ("verdict", "label", "told"),
    [
        ("NORMAL", "normal", "normal"),
        ("DIFFERENT", "normal", "false alarm"),
        ("DIFFERENT", "weaker", "found"),
        ("NORMAL", "weaker", "missed"),
        ("UNKNOWN", "weaker", "unknown"),
        ("DIFFERENT", "", ""),
    ],
)
def test_a_verdict_stands_beside_its_label(verdict, label, told):
    assert outcome(dataclasses.replace(made_touches()[0], verdict=verdict, label=label)) == told


def test_replays_are_named_by_what_tells_them_apart():
    touches = made_touches()
    model = made_run(touches).model
    other = dataclasses.replace(model, name="other@1")
    assert names([replay(touches)]) == ["touches"]
    assert names([replay(touches), replay(touches, model=other)]) == ["made", "other"]
    assert names([replay(touches), replay(touches, bag="x/b.mcap")]) == ["touches", "b"]
    assert names([replay(touches), replay(touches, alpha=0.1)]) == ["alpha 0.05", "alpha 0.1"]
    assert len(set(names([replay(touches), replay(touches, model=dataclasses.replace(model, name="made@1"))]))) == 2


def test_a_card_brings_no_markup_of_its_own_and_no_links_into_nowhere():
    html = str(card_html(CARD + "[bad](javascript:alert) [good](https://example.org) ![x](https://example.org/a.png)"))
    assert "<script" not in html
    assert "javascript:" not in html.replace("(javascript:alert)", "")
    assert 'href="train.md"' not in html
    assert 'href="https://example.org"' in html
    assert "<img" not in html
    assert "<table>" in html


def test_a_sound_is_bright_where_it_is_and_red_where_it_is_louder_than_predicted():
    import io

    from PIL import Image

    sequence, rng = SequenceConfig(), np.random.default_rng(0)
    noise = (1e-4 * rng.standard_normal(16000)).astype(np.float32)
    burst = noise.copy()
    burst[1600:4800] += 0.3 * rng.standard_normal(3200).astype(np.float32)
    shown = np.asarray(Image.open(io.BytesIO(mel_png(burst, sequence))).convert("RGB"), int).sum(axis=2)
    assert shown.shape == (80, 62)
    assert shown[:, 8:17].min() > shown[:, 30:].max()
    red, _, blue = np.asarray(
        Image.open(io.BytesIO(difference_png(burst, noise, 0.1, sequence))).convert("RGB"), int
    ).transpose(2, 0, 1)
    assert (red - blue)[:, 8:17].mean() > 60
    assert abs((red - blue)[:, 30:].mean()) < 5
