"""The demo's files say what the demo says of itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from rosbags.highlevel import AnyReader
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import heard, motion, world
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

DEMO = Path(__file__).parents[2] / "demo"
INDEX_TIP = 8
MB = 1_000_000


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return yaml.safe_load((DEMO / "truth.yaml").read_text())


@pytest.fixture(scope="module")
def bag() -> dict[str, Any]:
    """Topics, TF and sound as any standard reader gives them."""
    out: dict[str, Any] = {"static": {}, "tf_ns": [], "tf": [], "audio_ns": [], "audio": [], "first": []}
    with AnyReader([DEMO / "touches.mcap"]) as reader:
        out["types"] = {c.topic: c.msgtype for c in reader.connections}
        for connection, received_ns, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            if connection.topic == "/microphone/audio":
                stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
                out["audio_ns"].append(stamp_ns)
                out["audio"].append(message.data)
                out["first"].append(message.first_sample)
                assert message.sample_rate_hz == 22050 and message.channels == 1 and len(message.lost) == 0
                assert received_ns >= stamp_ns
                continue
            for item in message.transforms:
                t, q = item.transform.translation, item.transform.rotation
                pose = (item.header.frame_id, item.child_frame_id, (t.x, t.y, t.z), (q.x, q.y, q.z, q.w))
                if connection.topic == "/tf_static":
                    out["static"][item.child_frame_id] = pose
                else:
                    out["tf"].append(pose)
            if connection.topic == "/tf":
                out["tf_ns"].append(item.header.stamp.sec * 10**9 + item.header.stamp.nanosec)
    return out


@pytest.fixture(scope="module")
def hand(bag: dict[str, Any], bundle: SceneBundle) -> tuple[np.ndarray, np.ndarray]:
    """(T,) seconds since the start and (T, 21, 3) keypoints in the scene frame."""
    _, _, translation, quat = bag["static"]["tracking_camera"]
    in_camera = np.array([pose[2] for pose in bag["tf"]])
    in_world = Rotation.from_quat(quat).apply(in_camera) + translation
    to_world = Rotation.from_quat(bundle.rotation_wxyz[[1, 2, 3, 0]])
    in_scene = to_world.inv().apply(in_world - bundle.translation_m)
    return np.array(bag["tf_ns"]), in_scene.reshape(-1, 21, 3)


def test_frames_and_types_are_the_standard_ones(bag: dict[str, Any]) -> None:
    assert bag["types"] == {
        "/tf_static": "tf2_msgs/msg/TFMessage",
        "/tf": "tf2_msgs/msg/TFMessage",
        "/microphone/audio": "hearing_hands_ros/msg/Audio",
    }
    assert bag["static"]["tracking_camera"][0] == "world"
    assert [pose[1] for pose in bag["tf"][:21]] == [f"hand_right/kp_{k:02d}" for k in range(21)]
    assert {pose[0] for pose in bag["tf"]} == {"tracking_camera"}
    quats = np.array([pose[3] for pose in bag["tf"]])
    np.testing.assert_allclose(np.linalg.norm(quats, axis=1), 1.0, atol=5e-4)


def test_hand_comes_at_60_hz_and_sound_without_gaps(bag: dict[str, Any], truth: dict[str, Any]) -> None:
    np.testing.assert_allclose(np.diff(bag["tf_ns"]) * 1e-9, 1 / 60, atol=1e-6)
    assert bag["tf_ns"][0] == bag["audio_ns"][0] == truth["start_ns"]
    assert (np.diff(bag["first"]) == 441).all()
    np.testing.assert_allclose(np.diff(bag["audio_ns"]) * 1e-9, 0.02, atol=1e-6)
    assert 45.0 <= truth["duration_s"] <= 60.0


def test_sound_of_bag_and_flac_is_the_same(bag: dict[str, Any]) -> None:
    wave, rate = soundfile.read(DEMO / "heard.flac", dtype="int16")
    recorded = np.concatenate(bag["audio"]) * 32768.0
    assert rate == 22050
    np.testing.assert_array_equal(recorded, wave[: len(recorded)])
    assert np.abs(recorded).max() < 32767


def test_every_touch_touches_and_is_of_its_material(
    truth: dict[str, Any], hand: tuple[np.ndarray, np.ndarray], surface: SplatSurface, bundle: SceneBundle
) -> None:
    stamps, keypoints = hand
    for touch in truth["touches"]:
        during = (stamps >= touch["start_ns"]) & (stamps <= touch["end_ns"])
        assert during.any()
        got = surface.query(keypoints[during, INDEX_TIP])
        assert (np.abs(got.distance_m) < 0.004).all(), touch  # 2 mm deep and the tracker's noise
        assert {bundle.material_names[m] for m in got.material} == {touch["material"]}
        spot = surface.query(np.array([touch["position_m"]]))
        assert abs(spot.distance_m[0]) < 0.0005
        assert spot.normal[0] @ touch["normal"] > 0.995
        assert -0.0025 <= touch["deepest_m"] <= -0.0003


def test_near_misses_and_the_other_keypoints_touch_nothing(
    truth: dict[str, Any], hand: tuple[np.ndarray, np.ndarray], surface: SplatSurface
) -> None:
    stamps, keypoints = hand
    distance = surface.query(keypoints.reshape(-1, 3)).distance_m.reshape(keypoints.shape[:2])
    assert np.delete(distance, INDEX_TIP, axis=1).min() > 0.008
    assert len(truth["near_misses"]) >= 4
    for miss in truth["near_misses"]:
        near = np.abs(stamps - miss["time_ns"]) < 0.3e9
        assert 0.013 < distance[near, INDEX_TIP].min() < 0.027
    free = np.ones(len(stamps), bool)
    for touch in truth["touches"]:
        free &= (stamps < touch["start_ns"] - 0.12e9) | (stamps > touch["end_ns"] + 0.12e9)
    assert distance[free, INDEX_TIP].min() > 0.008


def test_touches_are_many_and_varied(truth: dict[str, Any]) -> None:
    touches = truth["touches"]
    assert len(touches) >= 40
    assert {touch["material"] for touch in touches} == set(world.MATERIALS)
    assert len({touch["patch"] for touch in touches}) >= 8
    taps = [touch for touch in touches if touch["kind"] == "tap"]
    assert all(0.15 <= touch["approach_speed_mps"] <= 0.7 for touch in taps)
    assert all(0.05 < touch["end_s"] - touch["start_s"] <= 0.121 for touch in taps)
    slides = [touch for touch in touches if touch["kind"] == "slide"]
    assert len(slides) >= 3
    assert all(touch["material"] == "wood" and 0.1 <= touch["slide_speed_mps"] <= 0.3 for touch in slides)
    starts = np.array([touch["start_s"] for touch in touches])
    doubles = [touch["double_tap"] for touch in touches]
    assert sum(doubles) >= 3
    np.testing.assert_allclose(np.diff(starts)[doubles[1:]], 0.45, atol=1e-3)
    assert (np.diff(starts)[~np.array(doubles[1:])] > 1.0).all()


def test_anomalies_are_planted_as_told(truth: dict[str, Any]) -> None:
    kinds = [touch["anomaly"] for touch in truth["touches"]]
    assert kinds.count("wrong_material") >= 4
    assert kinds.count("missing_sound") >= 3
    assert len(truth["extra_sounds"]) >= 3
    for touch in truth["touches"]:
        if touch["anomaly"] == "missing_sound":
            assert touch["recording"] is None
        else:
            assert (touch["heard_material"] != touch["material"]) == (touch["anomaly"] == "wrong_material")
    for extra in truth["extra_sounds"]:
        away = [max(t["start_s"] - extra["start_s"], extra["start_s"] - t["end_s"]) for t in truth["touches"]]
        assert min(away) > 0.5


def test_sound_rises_at_the_touch_and_the_lag(truth: dict[str, Any]) -> None:
    wave, rate = soundfile.read(DEMO / "heard.flac")
    width = rate // 50
    power = np.convolve(wave**2, np.ones(width) / width)[width - 1 :]  # of the 20 ms from here on
    for touch in truth["touches"]:
        if touch["double_tap"] or touch["material"] in ("snow", "dirt", "grass", "sand"):
            continue  # the tail of the first tap, or too soft to be told so simply
        at = round((touch["start_s"] + truth["microphone_lag_s"]) * rate)
        rise_db = 10 * np.log10(power[at : at + rate // 20].max() / power[at - rate // 10 : at - rate // 25].mean())
        assert (rise_db < 6.0) if touch["anomaly"] == "missing_sound" else (rise_db > 6.0), touch


def test_recordings_are_held_out_and_rarely_used_twice(truth: dict[str, Any]) -> None:
    banks = {name: yaml.safe_load((DEMO / name / "bank.yaml").read_text()) for name in ("bank", "held_out")}
    known = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (DEMO / "bank").rglob("*.ogg")}
    used = [s["recording"] for s in (*truth["touches"], *truth["extra_sounds"]) if s["recording"]]
    assert known and not {hashlib.sha256((DEMO / "held_out" / name).read_bytes()).hexdigest() for name in used} & known
    groups = [{r["group"] for r in bank["recordings"]} for bank in banks.values()]
    assert not groups[0] & groups[1]
    assert len(used) == len(set(used))


def test_the_plan_of_the_code_is_the_one_in_the_files(truth: dict[str, Any]) -> None:
    events = motion.plan()
    assert [e.start_s for e in events if e.kind in ("tap", "slide")] == [t["start_s"] for t in truth["touches"]]
    sounds, _ = heard.cast(events, DEMO / "held_out")
    named = sorted(t["recording"] for t in (*truth["touches"], *truth["extra_sounds"]) if t["recording"])
    assert sorted(sound.recording for sound in sounds) == named


def test_scene_is_built_the_same_again_and_keeps_its_order(bundle: SceneBundle) -> None:
    made = world.build_bundle()
    np.testing.assert_allclose(made.means_m, bundle.means_m, atol=2e-5)
    np.testing.assert_array_equal(made.labels, bundle.labels)
    assert bundle.scale != 1.0
    assert 60_000 <= len(bundle.splats) <= 150_000


def test_splats_lie_where_the_solids_are(surface: SplatSurface) -> None:
    rng = np.random.default_rng(6)
    for patch in ("tray_sand", "steel_dome", "stone_wedge", "birch_block", "steel_plate"):
        solid = world.BY_NAME[patch]
        spots = [solid.target(*rng.uniform(-0.6, 0.6, 2)) for _ in range(50)]
        points = np.array([p + 0.003 * n for p, n in spots])
        got = surface.query(world.scene_from_bench(points))
        np.testing.assert_allclose(got.distance_m, 0.003, atol=5e-4)


def test_files_are_small() -> None:
    assert (DEMO / "touches.mcap").stat().st_size < 6 * MB
    assert (DEMO / "scene" / "scene.spz").stat().st_size < 3 * MB
    assert (DEMO / "heard.flac").stat().st_size < 3 * MB


def test_licence_and_origin_are_told() -> None:
    readme, licence = (DEMO / "README.md").read_text(), (DEMO / "LICENSE.md").read_text()
    assert "simulated" in readme and "recorded" in readme
    assert "CC BY-SA 3.0" in licence and "Wildfire Games" in licence
