"""A recording through the core, without ROS."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin

from hearing_hands_ros.graph import Options, predict_graph
from hearing_hands_ros.replay.replay import Replay
from hearing_hands_ros.replay.settings import settings_of

ROOT = Path(__file__).parents[2]
VERDICTS = {"none": "NORMAL", "missing_sound": "MISSING", "wrong_material": "DIFFERENT"}
SECONDS = 10.9


@pytest.fixture(scope="module")
def replay():
    options = Options(demo=True)
    return Replay(settings_of(predict_graph(options, ROOT)))


@pytest.fixture(scope="module")
def replayed(replay, demo_begin):
    told = []
    with replay.open(demo_begin(SECONDS + 0.7)) as recording:
        return [*replay.run(recording, told.append)], told, str(recording)


def test_touches_and_verdicts_are_those_of_the_recording(replayed):
    truth = yaml.safe_load((ROOT / "demo" / "truth.yaml").read_text())
    touches = [touch for touch in truth["touches"] if touch["start_s"] < SECONDS]
    verdicts = [one.comparison for one in replayed[0]]
    pairs = [(touch["anomaly"], one.judgement.verdict.name) for touch, one in zip(touches, verdicts, strict=True)]
    assert all(verdict == VERDICTS[anomaly] for anomaly, verdict in pairs if anomaly != "none")
    assert sum(anomaly == "none" and verdict != "NORMAL" for anomaly, verdict in pairs) <= 1, "alpha allows some"
    assert {"NORMAL", "MISSING", "DIFFERENT"} == {verdict for _, verdict in pairs}
    for one, touch in zip(verdicts, touches, strict=True):
        assert one.stamp_ns == pytest.approx(touch["start_ns"], abs=33_000_000)
        assert one.contact.material == touch["material"]
        assert one.contact.kind == touch["kind"]


def heard_of(one):
    return one.comparison.judgement.touch


def test_each_verdict_comes_with_its_prediction_and_what_was_heard(replayed):
    for one in replayed[0]:
        assert one.prediction.contacts[-1] == one.comparison.contact == heard_of(one).contact
        heard = heard_of(one)
        assert heard.prediction is one.prediction
        found = heard.onset_s is not None
        assert found == one.comparison.judgement.heard_onset
        before = heard.samples[: round(0.2 * 16000)]
        if found:
            assert np.abs(heard.samples).max() > 5.0 * np.abs(before).max()


def test_it_says_how_far_it_is_and_what_it_found(replayed):
    _, told, summary = replayed
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert "8 touches; a hand in 34" in summary
    assert "0 samples lost" in summary


def test_sqlite_and_mcap_give_the_same(replay, replayed, demo_begin):
    with replay.open(demo_begin(6.0, StoragePlugin.SQLITE3)) as recording:
        again = [one.comparison for one in replay.run(recording)]
    first = [one.comparison for one in replayed[0]][: len(again)]
    assert len(again) == 4
    for one, other in zip(again, first, strict=True):
        assert (one.stamp_ns, one.judgement.verdict) == (other.stamp_ns, other.judgement.verdict)
        assert dict(one.judgement.scores) == dict(other.judgement.scores)


def test_nothing_of_ros_is_loaded():
    program = (
        "import sys, hearing_hands_ros.replay.replay, hearing_hands_ros.replay.taps\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('rclpy', 'rosidl_runtime_py', 'std_msgs')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
