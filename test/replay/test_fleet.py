"""`hearing-hands fleet`: every recording with every model, once, as a table; a broken one does not end the others."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.fleet.cell import DONE, FAILED, KEPT, Cell, Outcome
from hearing_hands_ros.fleet.row import ALL, rows_of
from hearing_hands_ros.fleet.work import on_ray
from hearing_hands_ros.replay.result import RUN, read_results

ROOT = Path(__file__).parents[2]
DEMO, COMPACT = ROOT / "demo", ROOT / "models" / "compact"
MODELS = ("bank", "compact")


@pytest.fixture(scope="module")
def words(demo_begin, tmp_path_factory):
    """A call with a short recording, a broken one, and two models."""
    folder = tmp_path_factory.mktemp("fleet")
    shutil.copytree(demo_begin(5.0), folder / "whole")
    (folder / "broken.mcap").write_bytes(b"no recording")
    bags = [str(folder / name) for name in ("whole", "broken.mcap")]
    given = ["--scene", str(DEMO / "scene"), "--model", str(DEMO / "bank"), "--model", str(COMPACT)]
    given += ["--params-file", str(DEMO / "params.yaml"), "--out", str(folder / "out"), "--jobs", "2"]
    for _ in MODELS:
        given += ["--calibration", str(DEMO / "calibration.yaml")]
    given += ["--labels", str(DEMO / "truth.yaml")]
    return ["fleet", *bags, *given]


@pytest.fixture(scope="module")
def out(words):
    """What the first call writes."""
    assert main(words) == 1
    return Path(words[words.index("--out") + 1])


def rows_in(out):
    return json.loads((out / "fleet.json").read_text())["rows"]


def states_in(out):
    return {(row["model"], row["bag"]): row["state"] for row in rows_in(out) if row["bag"] != ALL}


def written_in(out):
    return {path: path.stat().st_mtime_ns for path in (out / "cells").glob(f"*/{RUN}")}


def test_every_recording_is_replayed_with_every_model(out):
    assert states_in(out) == {
        (model, bag): state for model in MODELS for bag, state in (("whole", DONE), ("broken.mcap", FAILED))
    }
    for row in rows_in(out):
        if row["state"] == DONE:
            run = read_results(Path(row["folder"])).run
            assert (Path(run.bag).name, Path(run.model.folder).name) == (row["bag"], row["model"])
            assert dict(run.verdicts) == {v.name: n for v in Verdict if (n := row[v.name.lower()])}
            assert row["touches"] >= 1
            assert row["minutes"] == pytest.approx(run.seconds / 60)
            assert 0.2 < row["stft_distance"] < 2.0
            assert row["compute_p95_s"] > 0.0


def test_a_model_with_its_own_calibration_decides_and_another_does_not(out):
    of = {row["model"]: row for row in rows_in(out) if row["state"] == DONE}
    assert of["bank"]["unknown"] == of["bank"]["touches"]
    assert of["compact"]["normal"] >= 2
    assert {row["odd"] for row in of.values()} == {1}  # the demo has one wrong touch in its first five seconds


def test_all_recordings_of_a_model_are_one_more_line(out):
    folder = next(Path(row["folder"]) for row in rows_in(out) if row["model"] == "compact" and row["state"] == DONE)
    cells = [Cell(Path(name), COMPACT, DEMO / "scene") for name in ("monday", "tuesday", "friday")]
    outcomes = [*(Outcome(cell, DONE, folder=folder) for cell in cells[:2]), Outcome(cells[2], FAILED, "too late")]
    monday, tuesday, friday, whole = rows_of(outcomes)
    assert [row.bag for row in (monday, tuesday, friday, whole)] == ["monday", "tuesday", "friday", ALL]
    assert whole.touches == 2 * monday.touches
    assert whole.minutes == pytest.approx(2 * monday.minutes)
    assert (whole.speed, whole.stft_distance) == pytest.approx((monday.speed, monday.stft_distance))
    assert (friday.reason, whole.reason) == ("too late", "")


def test_a_recording_that_failed_says_why_in_every_table(out):
    reasons = [row["reason"] for row in rows_in(out) if row["state"] == FAILED]
    assert len(reasons) == 2
    assert all("broken.mcap" in reason and "wanted" in reason for reason in reasons)
    assert f"- broken.mcap with compact failed: {reasons[1]}" in (out / "fleet.md").read_text()
    with (out / "fleet.csv").open(newline="") as stream:
        assert [row["reason"] for row in csv.DictReader(stream) if row["state"] == FAILED] == reasons


def test_a_second_call_replays_only_what_is_not_whole(words, out, capsys):
    before = written_in(out)
    lost = next(path for path in before if path.parent.name.startswith("whole-bank"))
    lost.unlink()
    assert main(words) == 1
    states = states_in(out)
    assert states.pop(("bank", "whole")) == DONE
    assert set(states.values()) == {KEPT, FAILED}
    after = written_in(out)
    assert after.pop(lost) > before.pop(lost)
    assert after == before
    table = capsys.readouterr().out
    assert "failed: " in table
    assert str(out / "fleet.md") in table
    assert not list((out / "cells").glob("*.part/*.json"))


def cell_in(folder):
    for name in ("bag.mcap", "scene.yaml", "labels.yaml"):
        (folder / name).write_text(name)
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_text("1")
    return Cell(folder / "bag.mcap", folder / "model", folder / "scene.yaml", labels=folder / "labels.yaml")


def test_results_are_known_by_content_not_by_name(tmp_path):
    cell = cell_in(tmp_path)
    shutil.copy(tmp_path / "bag.mcap", tmp_path / "other_name.mcap")
    shutil.copytree(tmp_path / "model", tmp_path / "other_model")
    moved = replace(cell, bag=tmp_path / "other_name.mcap", model=tmp_path / "other_model")
    before = cell.key()
    assert moved.key() == before
    (tmp_path / "other_model" / "weights").write_text("trained")
    keys = {before, moved.key(), replace(cell, labels=None).key()}
    keys |= {replace(cell, audio_topic="/other").key(), replace(cell, views="baked").key()}
    assert len(keys) == 5


def test_another_calibration_that_the_parameters_name_is_another_result(tmp_path):
    (tmp_path / "scores.yaml").write_text("of Monday")
    parameters = tmp_path / "params.yaml"
    parameters.write_text(f"/**/sound_comparator: {{ros__parameters: {{calibration: {tmp_path / 'scores.yaml'}}}}}")
    cell = replace(cell_in(tmp_path), params_file=parameters)
    before = cell.key()
    (tmp_path / "scores.yaml").write_text("of Tuesday")
    assert cell.key() != before


def test_a_recording_or_model_that_is_given_twice_or_under_two_names_counts_once_and_that_is_said(
    out, words, tmp_path, capsys
):
    shutil.copytree(words[1], tmp_path / "copy")
    (tmp_path / "linked.mcap").symlink_to(words[2])
    (tmp_path / "model").symlink_to(DEMO / "bank")
    at = words.index("--model")
    given = [*words[1:3], words[1], str(tmp_path / "copy"), str(tmp_path / "linked.mcap"), *words[3:at]]
    models = ["--model", str(DEMO / "bank"), "--model", str(tmp_path / "model")]
    before = written_in(out)
    assert main(["fleet", *given, *models, *words[at + 4 :]]) == 1
    assert states_in(out) == {("bank", "whole"): KEPT, ("bank", "broken.mcap"): FAILED}
    assert written_in(out) == before
    said = capsys.readouterr().err
    for twice in (words[1], tmp_path / "copy", tmp_path / "linked.mcap", tmp_path / "model"):
        assert f"'{twice}' is the same as " in said


def processes_of(folder):
    """Processes whose command line names a folder."""
    lines = {path: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
    return [int(path.parent.name) for path, line in lines.items() if str(folder).encode() in line]


@pytest.mark.parametrize("where", ["--jobs", "--ray"])
def test_ctrl_c_ends_all_that_works_and_takes_nothing_half_done_for_whole(words, tmp_path, where):
    if where == "--ray":
        pytest.importorskip("ray", reason="Ray is optional: pip install 'hearing_hands_ros[ray]'")
    at = words.index("--model")
    cells = tmp_path / "out" / "cells"
    command = [*words[:2], *words[3:at], "--model", str(DEMO / "bank"), "--out", str(tmp_path / "out"), where]
    command += ["1"] * (where == "--jobs")
    with subprocess.Popen(
        [sys.executable, "-m", "hearing_hands_ros.cli.main", *command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stderr=subprocess.PIPE,
        text=True,
    ) as fleet:
        while not (working := processes_of(cells)):
            assert fleet.poll() is None
            time.sleep(0.05)
        fleet.send_signal(signal.SIGINT)  # to it alone: others know nothing of it
        _, said = fleet.communicate()
    assert fleet.returncode == 130
    assert "stopped: 0 of 1 are done, and the same command goes on" in said
    until_s = time.monotonic() + 10.0
    while processes_of(cells) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not processes_of(cells), working
    assert not written_in(tmp_path / "out")  # so the same command does it anew


def test_one_calibration_for_two_models_is_refused(words, capsys):
    at = words.index("--calibration")
    assert main(words[:at] + words[at + 2 :]) == 2
    assert "--calibration: wanted one for each model, which are 2, got 1" in capsys.readouterr().err


def test_a_ray_cluster_gives_the_same(out, words, tmp_path):
    pytest.importorskip("ray", reason="Ray is optional: pip install 'hearing_hands_ros[ray]'")
    bags = [Path(words[1]), Path(words[2])]
    params, labels = DEMO / "params.yaml", DEMO / "truth.yaml"
    cells = [Cell(bag, DEMO / "bank", DEMO / "scene", DEMO / "calibration.yaml", params, labels) for bag in bags]
    done, broken = sorted(on_ray(cells, tmp_path), key=lambda outcome: outcome.state)
    assert (done.state, broken.state) == (DONE, FAILED)
    assert "broken.mcap" in broken.reason
    (here,) = [row["folder"] for row in rows_in(out) if row["model"] == "bank" and row["state"] == DONE]
    ours, theirs = (list(read_results(folder).touches()) for folder in (Path(here), done.folder))
    assert [(t.stamp_ns, t.verdict) for t in ours] == [(t.stamp_ns, t.verdict) for t in theirs]
