"""`hearing-hands replay` as a user calls it, with the bank of recorded touches as the model: it is loaded quickly."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.replay.result import read_results

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo"
GIVEN = ("--scene", str(DEMO / "scene"), "--model", str(DEMO / "bank"), "--params-file", str(DEMO / "params.yaml"))


def replayed(*words):
    return main(["replay", *map(str, words), *GIVEN])


@pytest.fixture(scope="module")
def bag(demo_begin):
    return demo_begin(8.0)


@pytest.fixture(scope="module")
def alone(bag, tmp_path_factory):
    """Results of one process."""
    out = tmp_path_factory.mktemp("alone")
    assert replayed(bag, "--out", out, "--labels", DEMO / "truth.yaml", "--jobs", 1) == 0
    return read_results(out)


def test_results_and_report_say_what_was_replayed(alone):
    run, touches = alone.run, list(alone.touches())
    assert run.is_whole
    assert run.mode == "offline"
    assert run.seconds == run.replayed_s == pytest.approx(8.0, abs=0.1)
    assert run.model.predictor == "example"
    assert run.scene_name == "workbench"
    assert run.touches == len(touches) == sum(run.verdicts.values()) > 4
    assert run.counts["sound_samples_lost"] == 0
    assert run.settings["comparator"]["microphone_lag_s"] == 0.012
    assert {"normal", "missing_sound"} <= {touch.label for touch in touches}
    assert all(alone.heard(touch) and alone.predicted(touch) for touch in touches)
    assert (alone.folder / "report.html").stat().st_size > 10_000


def without_times(results):
    return [
        {**json.loads(line), "compute_s": None} for line in (results.folder / "touches.jsonl").read_text().splitlines()
    ]


def test_a_second_process_changes_nothing(alone, bag, tmp_path):
    """Nor does it who made which prediction: the helper takes part as soon as it has loaded."""
    assert replayed(bag, "--out", tmp_path, "--labels", DEMO / "truth.yaml", "--jobs", 2) == 0
    again = read_results(tmp_path)
    assert without_times(again) == without_times(alone)
    for touch in again.touches():
        for sound in ("heard", "predicted"):
            assert getattr(again, sound)(touch).read_bytes() == getattr(alone, sound)(touch).read_bytes()


def test_several_recordings_side_by_side(alone, bag, demo_begin, tmp_path):
    other = demo_begin(5.0)
    one, two = tmp_path / "one", tmp_path / "two"
    one.symlink_to(bag)
    two.symlink_to(other)
    assert replayed(one, two, "--out", tmp_path / "out", "--labels", DEMO / "truth.yaml", "--jobs", 2) == 0
    assert without_times(read_results(tmp_path / "out" / "one")) == without_times(alone)
    assert read_results(tmp_path / "out" / "two").run.seconds == pytest.approx(5.0, abs=0.1)
    assert (tmp_path / "out" / "report.html").is_file()


def test_ctrl_c_leaves_what_is_whole_and_says_so(tmp_path):
    out = tmp_path / "out"
    words = ("replay", str(DEMO / "touches.mcap"), "--out", str(out), *GIVEN)
    command = [sys.executable, "-m", "hearing_hands_ros.cli.main", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        lines = out / "touches.jsonl"
        while process.poll() is None and not (lines.is_file() and lines.read_text().count("\n") >= 2):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    results = read_results(out)
    assert results.run.ended == "interrupted"
    assert not results.run.is_whole
    assert 0.0 < results.run.replayed_s < results.run.seconds
    assert 2 <= len(list(results.touches())) == results.run.touches
    assert not list(out.rglob("*.part"))


def test_what_cannot_be_replayed_is_said_before_anything_is_loaded(bag, tmp_path, capsys):
    folder = tmp_path / "out"
    for words, says in (
        ((bag, bag, "--out", folder), "wanted one of each name"),
        ((tmp_path / "none.mcap", "--out", folder), "found nothing"),
        ((bag, "--out", folder, "--labels", "a", "--labels", "b"), "--labels: wanted one file"),
        ((bag, "--out", folder, "--labels", tmp_path / "none.yaml"), "--labels: wanted a file"),
        ((bag, "--out", folder, "--jobs", "0"), "--jobs: wanted 1 or more"),
        ((bag, "--out", folder, "--live", "--rerun", tmp_path / "x.rrd"), "--rerun: wanted one recording"),
    ):
        assert replayed(*words) == 2
        assert says in capsys.readouterr().err
    assert not folder.exists()
