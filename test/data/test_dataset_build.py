"""`hearing-hands dataset build`, on recordings of a simulated hand whose taps and sounds are known to the sample."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from touched_bags import EVERY_S, LAG_S, SCENE, START_NS, touched_bag

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.data.dataset import SPLITS, Dataset
from hearing_hands_ros.data.dataset_writer import SOURCES
from hearing_hands_ros.data.from_bags.build import PAGE, STATISTICS, WORK
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.train.compact_config import CompactData
from hearing_hands_ros.train.compact_data import CompactBatches
from hearing_hands_ros.train.sampler import Pick

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "hearing_hands_ros.cli.main", "dataset", "build")
PLACE = ("--place", "0.03", "--val-share", "0.2", "--test-share", "0.2")  # few touches: small places, large shares


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def params(folder):
    path = folder / "robot.yaml"
    path.write_text(f"/**/sound_comparator: {{ros__parameters: {{microphone_lag_s: {LAG_S}}}}}\n")
    return path


@pytest.fixture(scope="module")
def bags(folder):
    for name, seed in (("monday", 4), ("tuesday", 9)):
        touched_bag(folder / f"{name}.mcap", taps=15, seed=seed)
    return [folder / "monday.mcap", folder / "tuesday.mcap"]


def words(bags, params, out, *more):
    given = ["--scene", SCENE, "--params-file", params, "--out", out, "--jobs", "1", *PLACE, *more]
    return [str(word) for word in [*bags, *given]]


@pytest.fixture(scope="module")
def built(bags, params, folder):
    out = folder / "built"
    assert main(["dataset", "build", *words(bags, params, out)]) == 0
    return out


def items_of(dataset):
    return [(ref, dataset.load(ref)) for side in SPLITS for ref in dataset.items(side)]


def windows_of(out):
    """Split, recording, place and span of every window, as `sources.yaml` of the scenes says."""
    splits = Dataset.open(out).info.splits
    for scene, side in splits.items():
        sources = yaml.safe_load((out / "scenes" / scene / SOURCES).read_text())
        for window in sources["windows"]:
            yield side, sources["recording"], tuple(sources["place"]), (window["start_ns"], window["end_ns"])


def files_in(folder):
    """What is in a dataset, but for the page."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (PAGE, SOURCES, "dataset.yaml")
    }


def test_nearly_all_taps_are_in_it_each_once_where_it_is_and_of_its_material(built):
    dataset = Dataset.open(built)
    found = [c for _, item in items_of(dataset) for c in item.motion.contacts if c.start_ns >= 0]
    assert 24 <= len(found) <= 30
    assert {c.material for c in found} == {"wood", "metal"}
    assert {c.kind for c in found} == {"tap"}
    assert len({c.position_m for c in found}) == len(found)
    statistics = yaml.safe_load((built / STATISTICS).read_text())
    assert sum(row["touches"] for row in statistics["splits"].values()) == len(found)
    assert len(found) + sum(statistics["left_out"].values()) == 30


def test_a_tap_sounds_when_it_touches_though_the_microphone_is_late(built):
    begins = []
    for _, item in items_of(Dataset.open(built)):
        for contact in item.motion.contacts:
            at = round(contact.start_ns / 1e9 * 16_000)
            around = np.abs(item.audio[max(at - 1600, 0) : at + 1600])
            if at >= 1600:
                begins.append((np.argmax(around > 0.25 * around.max()) - 1600) / 16_000)
    assert len(begins) > 15
    assert abs(np.median(begins)) < 0.005
    assert np.quantile(np.abs(begins), 0.8) < 0.02


def test_splits_share_no_place_and_no_moment(built):
    windows = list(windows_of(built))
    sides = {side: {place for s, _, place, _ in windows if s == side} for side in SPLITS}
    assert all(sides.values())
    assert not sides["train"] & sides["val"]
    assert not sides["train"] & sides["test"]
    assert not sides["val"] & sides["test"]
    for name in ("monday", "tuesday"):
        spans = sorted(span for _, recording, _, span in windows if recording == name)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))
    # What is in the items is what the sources say.
    of_split = {}
    for ref, item in items_of(Dataset.open(built)):
        for contact in item.motion.contacts:
            place = tuple(np.floor(np.array(contact.position_m) / 0.03).astype(int))
            assert of_split.setdefault(place, ref.split) == ref.split


def test_hands_are_in_the_scene_frame_where_they_touch(built):
    for _, item in items_of(Dataset.open(built)):
        for contact in item.motion.contacts:
            frame = round(contact.start_ns / 1e9 * 30)
            if 0 <= frame < len(item.motion.keypoints):
                nearest = np.linalg.norm(item.motion.keypoints[frame, 1] - contact.position_m, axis=1).min()
                assert nearest < 0.03


def test_training_takes_it_as_it_is(built):
    batches = CompactBatches(Dataset.open(built), "train", CompactData(), crop=True)
    assert set(batches.materials) == {"metal", "wood"}
    batch = batches[Pick(np.arange(4), seed=1)]
    assert np.isfinite(batch["mel"].float().numpy()).all()


def test_a_second_call_does_nothing_and_says_so(built, bags, params, capsys):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
    assert main(["dataset", "build", *words(bags, params, built)]) == 0
    assert "nothing: the dataset was there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == before


def test_a_folder_of_another_dataset_is_refused(built, bags, params, folder, capsys):
    for given, message in (
        (words(bags, params, built, "--seconds", "3"), "settings"),
        (words(bags[:1], params, built), "recordings"),
    ):
        assert main(["dataset", "build", *given]) == 2
        assert f"of other {message}" in capsys.readouterr().err
    (folder / "full").mkdir()
    (folder / "full" / "letter.txt").write_text("dear")
    assert main(["dataset", "build", *words(bags, params, folder / "full")]) == 2
    assert "with other things" in capsys.readouterr().err
    assert [path.name for path in (folder / "full").iterdir()] == ["letter.txt"]


def test_the_page_has_every_sample_and_needs_no_network(built):
    page = (built / PAGE).read_text()
    assert page.count("<audio") == min(24, sum(len(Dataset.open(built).items(side)) for side in SPLITS))
    assert "http://" not in page
    assert "https://" not in page
    assert "tap on wood" in page


def children_of(pid):
    """Processes that a process has started, and those that they have."""
    found, waiting = [], [pid]
    while waiting:
        with contextlib.suppress(OSError):
            waiting += [int(c) for c in Path(f"/proc/{waiting[0]}/task/{waiting[0]}/children").read_text().split()]
        found.append(waiting.pop(0))
    return found[1:]


@pytest.mark.parametrize(
    ("until", "jobs", "blow"),
    [(f"{WORK}/tracks/*_0000", 2, signal.SIGKILL), ("scenes/*_p*", 1, signal.SIGINT)],
    ids=["killed while reading", "Ctrl-C while writing"],
)
def test_what_was_cut_off_is_no_dataset_and_goes_on_to_be_the_same(built, bags, params, tmp_path, until, jobs, blow):
    out = tmp_path / "built"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    given = words(bags, params, out, "--jobs", str(jobs))
    with subprocess.Popen([*COMMAND, *given], cwd=ROOT, env=environment, stderr=subprocess.PIPE) as run:
        while run.poll() is None and not [path for path in out.glob(until) if path.suffix != ".part"]:
            time.sleep(0.01)
        started = children_of(run.pid)
        run.send_signal(blow)
        run.communicate()
    assert run.returncode in (-signal.SIGKILL, 130)
    with pytest.raises((FileNotFoundError, ValueError)):
        Dataset.open(out)
    ends_s = time.monotonic() + 60.0
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < ends_s:
        time.sleep(0.05)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert main(["dataset", "build", *words(bags, params, out)]) == 0
    assert files_in(out) == files_in(built)
    assert not (out / WORK).exists()


def spoilt(change_s, what):
    """Change the sound from a time on for 0.2 s."""

    def change(wave):
        rate = 22_050
        first = round(change_s * rate)
        return what(wave, slice(first, first + round(0.2 * rate)))

    return change


def louder(wave, part):
    wave[part] = np.sign(wave[part])
    return wave


def muted(wave):
    wave[5 * 22_050 : 9 * 22_050] = 0.0
    return wave


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spoilt(6.0, louder), "windows: clipped sound"),
        (lambda wave: wave * 1e-5, "windows: silent"),
        (muted, "windows: sound lost"),
    ],
    ids=["clipped", "silent", "muted"],
)
def test_windows_whose_sound_is_no_good_are_left_out_and_counted(tmp_path, params, capsys, change, reason):
    touched_bag(tmp_path / "spoilt.mcap", taps=8, change=change)
    code = main(["dataset", "build", *words([tmp_path / "spoilt.mcap"], params, tmp_path / "out")])
    printed = capsys.readouterr()
    assert reason in printed.out + printed.err
    assert code == (2 if "silent" in reason else 0)


def test_what_cannot_be_a_dataset_is_refused_with_the_reason(tmp_path, params, bags, capsys):
    touched_bag(tmp_path / "high.mcap", taps=3, height_m=0.2)
    bundle = replace(SceneBundle.load(SCENE), registration=None)
    bundle.save(tmp_path / "loose")
    cases = (
        (words([tmp_path / "high.mcap"], params, tmp_path / "a"), "wanted windows with touches, got none"),
        ([*words(bags, params, tmp_path / "b"), "--scene", str(tmp_path / "loose")], "scene register"),
        (words([bags[0], bags[0]], params, tmp_path / "c"), "got one twice: monday.mcap, monday.mcap"),
        (words([tmp_path / "none.mcap"], params, tmp_path / "d"), "found nothing"),
        (words(bags, tmp_path / "none.yaml", tmp_path / "e"), "--params-file: wanted a file"),
    )
    for given, message in cases:
        assert main(["dataset", "build", *given]) == 2
        assert message in capsys.readouterr().err
    assert not [path.name for path in tmp_path.iterdir() if (path / "dataset.yaml").exists()]


def test_the_whole_recording_is_looked_at(built):
    """Windows reach from the first tap to the last."""
    spans = [span for _, name, _, span in windows_of(built) if name == "monday"]
    assert min(begin for begin, _ in spans) < START_NS + 1.6e9
    assert max(end for _, end in spans) > START_NS + (1.5 + 13 * EVERY_S) * 1e9


def test_on_ray_it_is_the_same(built, bags, params, tmp_path):
    pytest.importorskip("ray", reason="needs pip install 'hearing_hands_ros[ray]'")
    out = tmp_path / "built"
    assert main(["dataset", "build", *words(bags, params, out, "--ray")]) == 0
    assert files_in(out) == files_in(built)
