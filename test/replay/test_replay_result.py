"""Folders of results: what was written is read again, and what is not whole is not taken for it."""

import json
import math

import numpy as np
import pytest
import soundfile

from hearing_hands_ros.compare.comparator import Comparison
from hearing_hands_ros.compare.judge import Judgement
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.predictors.protocol import Contact, Prediction
from hearing_hands_ros.replay.labels import Labels, read_labels
from hearing_hands_ros.replay.result import DifferenceResult, MissedLabel, ModelResult, Run, TouchResult, read_results
from hearing_hands_ros.replay.writer import ResultWriter

S = 1_000_000_000
RATE = 16000


def run_of(**changes):
    values = {
        "bag": "taps.mcap", "mode": "offline", "ended": "", "started": "2026-01-01T00:00:00+00:00", "begin_ns": 0,
        "seconds": 3.0, "replayed_s": 3.0, "wall_s": 0.5, "scene": "bench", "scene_name": "bench",
        "model": ModelResult("bank@1", "example"), "calibration": "", "calibrated_on": "", "alpha": 0.05, "touches": 0,
        "verdicts": {}, "quiet_s": math.nan, "counts": {"touches": 1}, "notes": ("a note",), "labels": "",
        "missed": (MissedLabel(5 * S, "missing_sound"),), "settings": {"lead_s": 0.1}, "versions": {}, "machine": "",
    }  # fmt: skip
    return Run(**(values | changes))


def touch_at(stamp_ns, seconds=1.3):
    contact = Contact(stamp_ns, stamp_ns + S // 10, 1, "wood", (0.1, 0.2, 0.3), (0.0, 0.0, 1.0), 0.4, 0.0, "tap", 7)
    audio = np.linspace(0.0, 0.5, round(seconds * RATE), dtype=np.float32)
    mel = np.zeros((80, len(audio) // 256), np.float32)
    prediction = Prediction(stamp_ns - S // 5, RATE, audio, mel, mel, (contact,), "example", "bank@1", 0.02)
    judgement = Judgement(Verdict.NORMAL, "as expected", True, 0.001, (0.001,), 0.4, scores={"level": math.nan})
    return Comparison(stamp_ns, judgement, contact, 1, contact.end_ns), prediction


def ramp(begin_s, end_s):
    """Sound whose value says when it was heard."""
    return np.arange(round(begin_s * RATE), round(end_s * RATE), dtype=np.float32)[:, None] / (10.0 * RATE)


def test_a_touch_is_read_as_it_was_written():
    touch = TouchResult(
        3, 10, 20, "DIFFERENT", "“ä”", "tap", 4, 1, "wood", (1.0, 2.0, 3.0), (0.0, 0.0, 1.0), 0.3, 0.0, 0.01, "tap",
        {"level": 1.5}, {"energy": 0.5}, "weaker", "metal", "wood", True, 0.002, (0.002, 0.4),
        DifferenceResult(100.0, 400.0, 0.0, 0.1, -9.0), 0.5, True, 0.08, 0.4, "wrong_material",
    )  # fmt: skip
    assert TouchResult.of_line(touch.line()) == touch
    assert "\n" not in touch.line()


def test_what_is_not_a_number_is_null_on_disk():
    line = json.loads(TouchResult(1, 2, 3, "UNKNOWN", "nothing", scores={"level": math.nan}).line())
    assert line["p_value"] is None
    assert line["scores"] == {"level": None}
    again = TouchResult.of_line(json.dumps(line))
    assert math.isnan(again.p_value)
    assert math.isnan(again.scores["level"])
    assert again.difference is None


def test_sounds_of_a_touch_lie_over_each_other_from_before_it_begins(tmp_path):
    lag_s = 0.012
    writer = ResultWriter(tmp_path / "out", Labels(), lag_s)
    comparison, prediction = touch_at(2 * S)
    writer.hear(0, ramp(0.0, 2.5), RATE, None)
    writer.take(comparison, prediction)
    assert not list((tmp_path / "out" / "sounds").iterdir())  # it is not heard to its end yet
    writer.hear(round(2.5 * S), ramp(2.5, 4.0), RATE, None)
    assert len(list((tmp_path / "out" / "sounds").iterdir())) == 2
    writer.finish(run_of())
    results = read_results(tmp_path / "out")
    (touch,) = results.touches()
    (heard, rate), (predicted, _) = (soundfile.read(path) for path in (results.heard(touch), results.predicted(touch)))
    assert rate == RATE
    assert len(heard) == len(predicted) == pytest.approx(1.2 * RATE, abs=1)
    assert heard[0] * 10.0 == pytest.approx(1.9 + lag_s, abs=1e-3)
    assert predicted[0] == pytest.approx(prediction.audio[round(0.1 * RATE)], abs=1e-4)
    assert results.run.touches == 1
    assert results.run.verdicts == {"NORMAL": 1}
    assert results.run.missed == (MissedLabel(5 * S, "missing_sound"),)
    assert math.isnan(results.run.quiet_s)


def test_what_was_not_finished_is_not_read(tmp_path):
    writer = ResultWriter(tmp_path, Labels(), 0.0)
    writer.take(*touch_at(2 * S))
    with pytest.raises(ValueError, match=r"wanted run.json"):
        read_results(tmp_path)
    writer.finish(run_of())
    assert read_results(tmp_path).run.is_whole
    ResultWriter(tmp_path, Labels(), 0.0)  # begins anew, over what is there
    with pytest.raises(ValueError, match=r"wanted run.json"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text + text, "wanted 1 verdicts"),
        (lambda text: text[:40], "line 1 wanted a verdict"),
        (lambda text: text.replace('"reason"', '"raison"'), "raison"),
        (lambda text: "", "wanted 1 verdicts"),
    ],
)
def test_spoilt_lines_are_refused(tmp_path, spoil, says):
    writer = ResultWriter(tmp_path, Labels(), 0.0)
    writer.take(*touch_at(2 * S))
    writer.finish(run_of())
    path = tmp_path / "touches.jsonl"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(ValueError, match=says):
        list(read_results(tmp_path).touches())


def test_a_microphone_that_is_gone_does_not_fill_the_memory(tmp_path):
    writer = ResultWriter(tmp_path, Labels(), 0.0)
    for second in range(2, 60):
        writer.take(*touch_at(second * S))
    assert len(writer._waiting) < 40
    writer.finish(run_of())
    touches = list(read_results(tmp_path).touches())
    assert [touch.number for touch in touches] == list(range(1, 59))
    assert read_results(tmp_path).heard(touches[0]) is None
    assert read_results(tmp_path).predicted(touches[0]) is not None


def test_labels_go_to_the_nearest_verdict_once(tmp_path):
    path = tmp_path / "labels.yaml"
    path.write_text(
        "rest: normal\ntouches:\n- {at_s: 1.0, label: missing_sound}\n- {stamp_ns: 102100000000, label: weaker}\n"
        "- {at_s: 50, label: never}\n"
    )
    labels = read_labels(path, 100 * S)
    assert labels.take(101 * S + S // 20) == "missing_sound"
    assert labels.take(101 * S + S // 10) == "normal"
    assert labels.take(102 * S) == "weaker"
    assert labels.missed(100 * S, 200 * S) == (MissedLabel(150 * S, "never"),)
    assert labels.missed(100 * S, 140 * S) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("touches: 3", "a list 'touches'"),
        ("touches: [{label: odd}]", "number 1: wanted 'label' and one of"),
        ("touches: [{label: odd, at_s: 1, stamp_ns: 4}]", "one of"),
        ("touches: [{label: odd, at_s: soon}]", "a time as a number"),
        ("touches: [", "wanted YAML"),
        ("rest: 5\ntouches: []", "'rest' to be a text"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path, text, says):
    path = tmp_path / "labels.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        read_labels(path, 0)
