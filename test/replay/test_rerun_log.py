"""A Rerun recording of a replay: it reads back, holds what was replayed, and is there whole or not at all."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.graph import Options, predict_graph, share_directory
from hearing_hands_ros.replay.offline import Task, Watching, replay_bag
from hearing_hands_ros.replay.replay import Replay
from hearing_hands_ros.replay.settings import settings_of
from hearing_hands_ros.rerun_log.log import RerunLog
from hearing_hands_ros.scene.bundle import SceneBundle

DEMO = Path(__file__).parents[2] / "demo"
SECONDS = 6.0


@pytest.fixture(scope="module")
def rerun():
    return pytest.importorskip("rerun", reason="Rerun is optional: pip install 'hearing_hands_ros[inspect]'")


@pytest.fixture(scope="module")
def replayed(rerun, demo_begin, tmp_path_factory):
    """A recording of the demo's begin, and the verdicts that were given."""
    options = Options(
        scene=str(DEMO / "scene"),
        calibration=str(DEMO / "calibration.yaml"),
        params_file=str(DEMO / "params.yaml"),
        microphone="topic:/microphone/audio",
    )
    replay = Replay(settings_of(predict_graph(options, share_directory())))
    folder, verdicts = tmp_path_factory.mktemp("rerun"), []
    path = folder / "demo.rrd"
    with RerunLog(path, replay.bundle, replay.settings.alpha) as log:
        watching = Watching(moment=log.moment, verdict=lambda one: (log.verdict(one), verdicts.append(one.comparison)))
        replay_bag(replay, Task(demo_begin(SECONDS), folder / "results"), watching)
    return path, verdicts


def columns(rerun, path):
    """Values by entity and component, and their stamps by entity, in the order of the file."""
    values, stamps, timelines = defaultdict(list), defaultdict(list), set()
    for chunk in rerun.chunk.RrdReader(path).stream():
        batch = chunk.to_record_batch()
        for name, kind in zip(batch.schema.names, batch.schema, strict=True):
            role = (kind.metadata or {}).get(b"rerun:kind")
            if role == b"index":
                timelines.add(name)
                stamps[chunk.entity_path] += batch.column(name).cast("int64").to_pylist()
            elif role == b"data":
                values[chunk.entity_path, name] += batch.column(name).to_pylist()
    return values, stamps, timelines


def test_a_recording_holds_what_was_replayed(rerun, replayed):
    path, verdicts = replayed
    values, stamps, timelines = columns(rerun, path)
    assert timelines == {"recording"}
    assert len(values["/verdicts", "TextLog:text"]) == len(verdicts) >= 3
    assert stamps["/verdicts"] == [comparison.stamp_ns for comparison in verdicts]
    shown = [one for (one,) in values["/p_value/of_touch", "Scalars:scalars"]]
    assert shown == [c.judgement.p_value for c in verdicts if np.isfinite(c.judgement.p_value)]
    scored = [comparison for comparison in verdicts if comparison.judgement.touch is not None]
    assert len(scored) >= 3
    for side in ("heard", "predicted"):
        assert len(values[f"/{side}/audio", "AssetAudio:blob"]) == len(scored)
        assert len(values[f"/{side}/spectrogram", "Tensor:data"]) == len(scored)
    assert len(values["/picture", "EncodedImage:blob"]) == len(scored)
    touched = [comparison.contact.position_m for comparison in verdicts if comparison.contact is not None]
    assert np.allclose(np.squeeze(values["/scene/touch", "Points3D:positions"]), touched, atol=1e-6)


def test_splats_are_shown_in_metres_where_the_hands_are(rerun, replayed):
    values, _, _ = columns(rerun, replayed[0])
    (centres,) = values["/scene/splats", "GaussianSplats3D:centers"]
    assert np.allclose(centres, SceneBundle.load(DEMO / "scene").means_m, atol=1e-5)
    places = np.concatenate([np.array(frame).reshape(-1, 3) for frame in values["/scene/touch", "Points3D:positions"]])
    nearest = np.linalg.norm(np.array(centres)[None] - places[:, None], axis=2).min(axis=1)
    assert nearest.max() < 0.03


def test_each_frame_of_the_hands_is_shown_once(rerun, replayed):
    values, stamps, _ = columns(rerun, replayed[0])
    times = stamps["/scene/hands/right"]
    assert len(times) == len(set(times)) >= SECONDS * 30 * 0.9
    frames = values["/scene/hands/right", "Points3D:positions"]
    seen = [len(frame) for frame in frames if frame is not None]
    assert set(seen) <= {0, 21}
    assert seen.count(21) > SECONDS * 30 * 0.8
    assert not any(values["/scene/hands/left", "Points3D:positions"][1:])  # the demo has a right hand only


def test_the_tool_of_rerun_finds_nothing_wrong(replayed):
    done = subprocess.run(
        [sys.executable, "-m", "rerun_cli", "rrd", "verify", str(replayed[0])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_replay_that_breaks_off_leaves_no_file_and_the_old_one(rerun, tmp_path):
    path = tmp_path / "old.rrd"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), RerunLog(path, SceneBundle.load(DEMO / "scene"), 0.05):
        raise KeyboardInterrupt
    assert [item.name for item in tmp_path.iterdir()] == ["old.rrd"]
    assert path.read_bytes() == b"old"


def test_without_rerun_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ImportError, match=r"Rerun.*pip install 'hearing_hands_ros\[inspect\]'"):
        RerunLog(tmp_path / "any.rrd", SceneBundle.load(DEMO / "scene"), 0.05)


def test_a_name_that_is_no_rrd_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"wanted an .rrd file"):
        RerunLog(tmp_path / "any.mcap", SceneBundle.load(DEMO / "scene"), 0.05)
