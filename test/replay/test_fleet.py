"""`hearing-hands fleet`: every recording with every model, once, as a table; a broken one does not end the others."""

import csv
import json
import shutil
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

pytestmark = pytest.mark.timeout(300)  # each cell is a process that loads everything anew


@pytest.fixture(scope="module")
def words(demo_begin, tmp_path_factory):
    """A call with a short recording, a broken one, and two models."""
    folder = tmp_path_factory.mktemp("fleet")
    shutil.copytree(demo_begin(5.0), folder / "whole")
    (folder / "broken.mcap").write_bytes(b"no recording")
    bags = [str(folder / name) for name in ("whole", "broken.mcap")]
    given = ["--scene", str(DEMO / "scene"), "--models", str(DEMO / "bank"), str(COMPACT)]
    given += ["--params-file", str(DEMO / "params.yaml"), "--out", str(folder / "out"), "--jobs", "2"]
    for _ in MODELS:
        given += ["--calibration", str(DEMO / "calibration.yaml")]
    for _ in bags:
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
