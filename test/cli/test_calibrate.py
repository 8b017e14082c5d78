"""`hearing-hands calibrate`, on recordings of a simulated hand whose microphone's lag is known to the sample."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import soxr
import yaml
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.demo import hand, world
from hearing_hands_ros.demo.bag import Recording, write_bag
from hearing_hands_ros.demo.build import camera_in_world
from hearing_hands_ros.demo.heard import RATE_HZ
from hearing_hands_ros.graph import Options, predict_graph
from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank
from hearing_hands_ros.replay.settings import settings_of

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo"
SCENE, BANK = str(DEMO / "scene"), str(DEMO / "bank")
START_NS = 1_748_770_200_000_000_000
LAG_S = 0.3 + 1.0 / RATE_HZ
SPEED_MPS, DWELL_S = 0.7, 0.06
PLATE = "birch_block"
TAPS_S = 1.8 + np.cumsum([0.0, 0.9, 1.3, 0.75, 1.1, 0.85, 1.25, 0.95, 1.05, 0.8])
SECONDS = 13.0


def fingertip(time_s, taps_s, height_m):
    """Straight down onto a block of wood, and up again."""
    since = time_s[:, None] - np.asarray(taps_s)
    height = SPEED_MPS * np.maximum(-since, np.maximum(since - DWELL_S, 0.0)).min(axis=1)
    rng = np.random.default_rng(4)
    spots = [world.BY_NAME[PLATE].target(*rng.uniform(-0.4, 0.4, 2)) for _ in taps_s]
    nearest = np.abs(since).argmin(axis=1)
    points = np.array([spots[tap][0] for tap in nearest])
    return points + np.minimum(height, 0.1)[:, None] * spots[0][1] + [0.0, 0.0, height_m]


def record(path, lag_s=LAG_S, height_m=0.0, sounds=True):
    """Ten taps on wood that sound like wood, `lag_s` late; from a height, the hand touches nothing."""
    time_s = np.arange(round(SECONDS * 60)) / 60
    keypoints, turn = hand.pose(fingertip(time_s, TAPS_S, height_m), time_s, seed=5)
    camera = camera_in_world()
    in_world = world.world_from_bench(keypoints.reshape(-1, 3))
    in_camera = camera[0].inv().apply(in_world - camera[1]).reshape(keypoints.shape)
    wave = np.random.default_rng(6).normal(0.0, 3e-4, round(SECONDS * RATE_HZ))
    wood = [e for e in ExampleBank.load(DEMO / "held_out").exemplars if (e.material, e.kind) == ("wood", "tap")]
    for number, tap_s in enumerate(TAPS_S if sounds else ()):
        piece = 0.2 * soxr.resample(wood[number % len(wood)].wave, 16_000, RATE_HZ)
        first = round((tap_s + lag_s - LEAD_S) * RATE_HZ)
        piece = piece[: len(wave) - first]
        wave[first : first + len(piece)] += piece
    rotations = camera[0].inv() * world.WORLD_FROM_BENCH[0] * turn
    write_bag(
        path,
        Recording(START_NS, world.WORLD_FRAME, camera, time_s, in_camera, rotations, wave.astype(np.float32)),
    )
    return path


@pytest.fixture(scope="module")
def tapped(tmp_path_factory):
    """A recording of taps."""
    return record(tmp_path_factory.mktemp("tapped") / "tapped.mcap")


def without(bag, out, *topics):
    """Copy a recording but for some topics."""
    store = get_typestore(Stores.ROS2_KILTED)
    store.register(get_types_from_msg((ROOT / "msg" / "Audio.msg").read_text(), "hearing_hands_ros/msg/Audio"))
    with Reader(bag) as reader, Writer(out, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kept = [c for c in reader.connections if c.topic not in topics]
        connections = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=store) for c in kept}
        for connection, stamp, raw in reader.messages(kept):
            writer.write(connections[connection.id], stamp, raw)
    return out


def comparator_of(out):
    """Parameters of the comparator in a file."""
    return yaml.safe_load(out.read_text())["/**/sound_comparator"]["ros__parameters"]


def calibrate(*words):
    return main(["calibrate", *map(str, words)])


def test_the_lag_is_found_and_written_where_the_graph_takes_it(tapped, tmp_path, capsys):
    out = tmp_path / "my robot.yaml"
    assert calibrate("lag", tapped, "--scene", SCENE, "--out", out) == 0
    assert comparator_of(out)["microphone_lag_s"] == pytest.approx(LAG_S, abs=0.002)
    printed = capsys.readouterr().out
    assert "of 10 taps" in printed
    command = shlex.split(printed.splitlines()[-1])
    assert command[:4] == ["ros2", "launch", "hearing_hands_ros", "predict.launch.py"]
    given = dict(word.split(":=") for word in command[4:])
    assert given == {"scene": SCENE, "microphone": "topic:/microphone/audio", "params_file": str(out)}
    graph = settings_of(predict_graph(Options.from_text(given), ROOT))
    assert graph.comparator.microphone_lag_s == comparator_of(out)["microphone_lag_s"]


def test_then_touches_that_are_normal_make_a_calibration_that_the_comparator_takes(tapped, tmp_path, capsys):
    out = tmp_path / "robot.yaml"
    out.write_text(
        "# My robot.\n\n/**/hand_tracker:\n  ros__parameters: {touch_m: 0.003}\n"
        "sound_comparator:\n  ros__parameters: {alpha: 0.3, search_s: 0.04}\n"
    )
    asked = [tapped, "--scene", SCENE, "--model", BANK, "--out", out]
    assert calibrate("lag", *asked) == 0
    assert calibrate("normal", *asked, "--alpha", "0.1") == 0
    first = out.read_bytes(), (tmp_path / "robot_normal.yaml").read_bytes()
    command = capsys.readouterr().out.splitlines()[-1]
    given = dict(word.split(":=") for word in shlex.split(command)[4:])
    graph = settings_of(predict_graph(Options.from_text(given), ROOT))
    ConformalCalibration.load(graph.calibration).check("anomaly", graph.alpha)
    assert graph.alpha == 0.1
    assert graph.comparator.microphone_lag_s == pytest.approx(LAG_S, abs=0.002)
    assert graph.comparator.search_s == 0.04
    assert graph.hands.contact.touch_m == 0.003
    head = out.read_text().splitlines()[:3]
    assert head[0] == "# My robot."
    assert float(head[1].removeprefix("# lag: ").split()[0]) == pytest.approx(1e3 * LAG_S, abs=2.0)
    assert head[2].startswith("# normal: 10 touches of tapped.mcap, predicted by impact-sounds-bank")
    assert calibrate("normal", *asked, "--alpha", "0.1") == 0
    assert (out.read_bytes(), (tmp_path / "robot_normal.yaml").read_bytes()) == first


def test_too_few_normal_touches_are_refused_and_what_is_missing_is_said(tapped, tmp_path, capsys):
    out = tmp_path / "robot.yaml"
    out.write_text("/**/sound_comparator: {ros__parameters: {microphone_lag_s: 0.3}}\n")
    before = out.read_bytes()
    assert calibrate("normal", tapped, "--scene", SCENE, "--model", BANK, "--alpha", "0.01", "--out", out) == 2
    said = capsys.readouterr().err
    assert "wanted 99 normal touches or more for alpha 0.01, got 10: 89 are missing" in said
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["robot.yaml"]


def test_without_the_lag_there_is_no_calibration_and_it_says_why(tapped, tmp_path, capsys):
    asked = ["--scene", SCENE, "--model", BANK, "--alpha", "0.2", "--out", tmp_path / "out.yaml"]
    assert calibrate("normal", tapped, *asked) == 2
    said = capsys.readouterr().err
    assert "got 10 of 10 taps without an onset: is microphone_lag_s right" in said
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda bag, folder: folder / "none.mcap", "found nothing"),
        (lambda bag, folder: without(bag, folder / "bag", "/microphone/audio"), "wanted a topic with sound"),
        (lambda bag, folder: without(bag, folder / "bag", "/tf", "/tf_static"), "wanted TF (tf2_msgs/msg/TFMessage"),
        (lambda bag, folder: without(bag, folder / "bag", "/tf"), "TF has no frame hand_right/kp_00"),
        (lambda bag, folder: record(folder / "high.mcap", height_m=0.2), "wanted 5 taps or more, got 0"),
        (lambda bag, folder: record(folder / "deaf.mcap", sounds=False), "to agree on a lag within 1 s, got 0"),
    ],
    ids=["missing", "no sound", "no TF", "no moving TF", "no touches", "silent"],
)
def test_a_recording_that_cannot_be_used_is_refused(tapped, tmp_path, capsys, spoil, message):
    out = tmp_path / "out.yaml"
    assert calibrate("lag", spoil(tapped, tmp_path), "--scene", SCENE, "--out", out) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_recording_that_breaks_off_is_used_as_far_as_it_goes_and_it_is_said(tapped, tmp_path, capsys):
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(tapped.read_bytes()[: 19 * tapped.stat().st_size // 20])
    assert calibrate("lag", broken, "--scene", SCENE, "--out", tmp_path / "out.yaml") == 0
    assert "breaks off" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--audio-topic", "/ear"], "wanted sound on '/ear', got none; it has: /microphone/audio (Audio)"),
        (["--params-file", "nowhere.yaml"], "--params-file: wanted a file"),
        (["--out", "nowhere/out.yaml"], "--out: wanted a file in a folder that is there"),
        (["--scene", "nowhere"], "argument 'scene': wanted a folder"),
    ],
)
def test_an_argument_that_is_wrong_is_named(tapped, tmp_path, capsys, words, message):
    out = tmp_path / "out.yaml"
    assert calibrate("lag", tapped, "--scene", SCENE, "--out", out, *words) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
