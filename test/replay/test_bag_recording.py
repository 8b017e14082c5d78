"""Recordings with trouble inside, through scene and tracker; motion and scene are simulated."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_bags import data_of
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from hearing_hands_ros.motion.follower import FollowerSettings
from hearing_hands_ros.motion.window import HandFrames
from hearing_hands_ros.replay.hand_swaps import HandSwaps
from hearing_hands_ros.replay.recording import Recording
from hearing_hands_ros.replay.sound import SoundSettings
from hearing_hands_ros.scene.bundle import Registration
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.surface import SplatSurface

SECONDS = 25.0
NS = 1_000_000_000
AUDIO, TF = "hearing_hands_ros/msg/Audio", "tf2_msgs/msg/TFMessage"


@pytest.fixture(scope="module")
def store():
    store = get_typestore(Stores.ROS2_KILTED)
    text = (Path(__file__).parents[2] / "msg" / "Audio.msg").read_text()
    store.register(get_types_from_msg(text, AUDIO))
    return store


@pytest.fixture(scope="module")
def begin(demo_begin):
    return demo_begin(SECONDS)


def changed(bag, path, store, change):
    """A copy of a recording; `change` gives what is recorded instead of a message: (topic, time, message) each."""
    with Reader(bag) as reader, Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {c.topic: c.msgtype for c in reader.connections}
        to = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}
        made = []
        for connection, stamp_ns, raw in reader.messages():
            message = store.deserialize_cdr(raw, connection.msgtype)
            made += change(connection.topic, stamp_ns, message)
        for topic, stamp_ns, message in sorted(made, key=lambda item: item[1]):
            writer.write(to[topic], stamp_ns, store.serialize_cdr(message, kinds[topic]))
    return path


def passed(path, bundle):
    """Sound by its stamps, touches by their ids, and the recording, which has passed."""
    blocks, touches = [], {}
    with Recording(path, bundle, SplatSurface(bundle), FollowerSettings(), SoundSettings()) as recording:
        for moment in recording.moments():
            blocks += moment.sound
            for seen in moment.hands:
                touches |= {c.contact_id: c for c in seen.done.contacts}
        return blocks, list(touches.values()), recording


@pytest.fixture(scope="module")
def right(begin, bundle):
    return passed(begin, bundle)


def moved(bundle, shift_m=(0.0, 0.0, 0.0), turn_deg=0.0):
    """The scene, registered elsewhere: turned about the vertical through its middle, then shifted."""
    place = bundle.registered.parent_from_splat
    turn, middle = Rotation.from_euler("z", turn_deg, degrees=True), np.array([1.35, -0.42, 0.76])
    away = Sim3(1.0, to_wxyz(turn), middle - turn.apply(middle) + np.array(shift_m))
    return replace(bundle, registration=Registration(bundle.parent_frame, away @ place, 0.0, 0.0))


def test_nothing_is_said_of_the_scene_that_was_touched(right):
    _, touches, recording = right
    assert recording.warnings == []
    assert recording.hands.scene.touches == len(touches) >= 10
    assert recording.hands.scene.sounds >= 10


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"shift_m": (0.0, 0.0, 0.01)}, r"\d+ of \d+ touches go more than 8 mm into the surface"),
        ({"shift_m": (0.0, 0.0, -0.05)}, r"of (\d+) sounds \1 begin while no hand touches it"),
        ({"turn_deg": 90.0}, r"of \d+ sounds \d+ begin while no hand touches it"),
    ],
)
def test_a_scene_that_lies_elsewhere_is_doubted_with_figures(begin, bundle, change, why):
    _, _, recording = passed(begin, moved(bundle, **change))
    (warning,) = recording.warnings
    assert re.search(rf"is this the scene that was touched, and does it lie where it lay\? .*{why}", warning)
    assert warning in str(recording)


def test_sound_that_comes_in_bursts_is_the_same_sound(begin, bundle, right, tmp_path, store):
    def late(topic, stamp_ns, message):
        return [(topic, -(-stamp_ns // NS) * NS if message.__msgtype__ == AUDIO else stamp_ns, message)]

    blocks, _, recording = passed(changed(begin, tmp_path / "bag", store, late), bundle)
    assert recording.sound.monitor.counts.lost_frames == 0
    assert recording.warnings == []
    assert np.array_equal(np.concatenate([b.data for b in blocks]), np.concatenate([b.data for b in right[0]]))
    assert [b.stamp_ns for b in blocks] == [b.stamp_ns for b in right[0]]


def test_a_microphone_whose_clock_is_off_is_said(begin, bundle, tmp_path, store):
    def off(topic, stamp_ns, message):
        if message.__msgtype__ == AUDIO:
            message.header.stamp.sec += 4
        return [(topic, stamp_ns, message)]

    _, _, recording = passed(changed(begin, tmp_path / "bag", store, off), bundle)
    count = recording.sound.monitor.counts.blocks
    assert f"{count} blocks of sound are stamped over 1 s ahead of the recorder's clock" in recording.warnings


def test_a_tree_of_frames_that_changes_midway_gives_the_same_touches(begin, bundle, right, tmp_path, store):
    """From the middle on the hand's frames hang under another camera, which stands elsewhere and comes late."""
    turn, shift = Rotation.from_euler("xyz", [20.0, -30.0, 70.0], degrees=True), np.array([0.3, -0.2, 0.1])
    with Reader(begin) as reader:
        half_ns = (reader.start_time + reader.end_time) // 2

    def rehung(topic, stamp_ns, message):
        if topic == "/tf_static":
            other = changed_camera(message, store)
            return [(topic, stamp_ns, message), (topic, half_ns, other)]
        if topic == "/tf" and stamp_ns > half_ns:
            for edge in message.transforms:
                hang(edge)
        return [(topic, stamp_ns, message)]

    def changed_camera(message, store):
        (edge,) = message.transforms
        t, r = edge.transform.translation, edge.transform.rotation
        camera = Rotation.from_quat([r.x, r.y, r.z, r.w])
        place = camera.apply(shift) + [t.x, t.y, t.z]
        x, y, z, w = (camera * turn).as_quat()
        kinds = store.types
        transform = kinds["geometry_msgs/msg/Transform"](
            translation=kinds["geometry_msgs/msg/Vector3"](*place.tolist()),
            rotation=kinds["geometry_msgs/msg/Quaternion"](float(x), float(y), float(z), float(w)),
        )
        return kinds[TF]([kinds["geometry_msgs/msg/TransformStamped"](edge.header, "other_camera", transform)])

    def hang(edge):
        t, r = edge.transform.translation, edge.transform.rotation
        t.x, t.y, t.z = turn.inv().apply(np.array([t.x, t.y, t.z]) - shift).tolist()
        r.x, r.y, r.z, r.w = (turn.inv() * Rotation.from_quat([r.x, r.y, r.z, r.w])).as_quat().tolist()
        edge.header = replace(edge.header, frame_id="other_camera")

    _, touches, recording = passed(changed(begin, tmp_path / "bag", store, rehung), bundle)
    assert recording.warnings == []
    assert recording.hands.follower.counts["invalid_frames"] <= right[2].hands.follower.counts["invalid_frames"] + 2
    assert len(touches) == len(right[1])
    assert [t.start_ns for t in touches] == pytest.approx([t.start_ns for t in right[1]], abs=2_000_000)


def test_a_time_without_a_hand_takes_no_other_touches_with_it(begin, bundle, right, tmp_path, store):
    with Reader(begin) as reader:
        gone_ns, back_ns = reader.start_time + 5 * NS, reader.start_time + 15 * NS

    def without_hand(topic, stamp_ns, message):
        return [] if topic == "/tf" and gone_ns < stamp_ns < back_ns else [(topic, stamp_ns, message)]

    blocks, touches, recording = passed(changed(begin, tmp_path / "bag", store, without_hand), bundle)
    outside = [t.start_ns for t in right[1] if not gone_ns - NS < t.start_ns < back_ns + NS]
    assert len(outside) >= 4
    assert set(outside) <= {t.start_ns for t in touches}
    assert not [t for t in touches if gone_ns < t.start_ns < back_ns - NS // 10]
    assert len(blocks) == len(right[0])
    assert recording.hands.follower.counts["invalid_frames"] == pytest.approx(
        right[2].hands.follower.counts["invalid_frames"] + 300, abs=15
    )


def test_messages_without_a_stamp_and_one_recorded_before_time_began_take_nothing_with_them(
    begin, bundle, right, tmp_path, store
):
    seen = {AUDIO: 0, TF: 0}

    def unstamped(topic, stamp_ns, message):
        kind = message.__msgtype__
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] % 40 == 7 and topic != "/tf_static":
            for part in message.transforms if kind == TF else [message]:
                part.header.stamp.sec = part.header.stamp.nanosec = 0
        return [(topic, 0 if topic == "/tf" and seen[kind] == 1 else stamp_ns, message)]

    blocks, touches, _ = passed(changed(begin, tmp_path / "bag", store, unstamped), bundle)
    known = {t.start_ns for t in touches}
    found = [t for t in right[1] if any(abs(t.start_ns - start_ns) < NS // 20 for start_ns in known)]
    assert len(found) >= len(right[1]) - 1
    assert len(touches) <= len(right[1]) + 1
    assert sum(b.data.size for b in blocks) >= 0.9 * sum(b.data.size for b in right[0])


def test_a_recording_that_is_cut_says_so_when_it_is_asked(begin, bundle, tmp_path):
    whole = data_of((begin / "bag.mcap").read_bytes())
    (tmp_path / "cut.mcap").write_bytes(whole[: len(whole) // 2])
    _, touches, recording = passed(tmp_path / "cut.mcap", bundle)
    assert touches
    assert "it breaks off at byte" in str(recording)
    assert recording.seconds == pytest.approx(SECONDS / 2, abs=3.0)


def hands_of(left, right, first_frame=0):
    """Frames of two hands whose keypoints are all in one place: (T, 3) each."""
    points = np.repeat(np.stack([left, right], axis=1)[:, :, None], 21, axis=2).astype(np.float32)
    return HandFrames(first_frame, 30, points, np.isfinite(points).all(axis=(2, 3)))


def test_hands_that_take_each_others_place_are_counted_and_said():
    time = np.arange(90)[:, None] / 30
    left = np.concatenate([0.2 * time, 0 * time, 0 * time], axis=1)
    right = left + [0.3, 0.05 * 1, 0.0]
    one, other = left.copy(), right.copy()
    one[30:60], other[30:60] = right[30:60], left[30:60]  # exchanged for a second
    swaps = HandSwaps()
    for first in range(0, 61, 15):  # windows overlap
        swaps.see(hands_of(one[first : first + 30], other[first : first + 30], first))
    assert swaps.count == 2
    assert swaps.first_ns == NS
    assert str(swaps) == "the hands took each other's place 2 times: are left and right mixed up?"


def test_hands_that_cross_or_vanish_took_nobodys_place():
    time = np.linspace(0.0, 3.0, 90)[:, None]
    left = np.concatenate([0.2 * time, 0.1 + 0 * time, 0 * time], axis=1)
    right = np.concatenate([0.6 - 0.2 * time, 0 * time, 0 * time], axis=1)
    swaps = HandSwaps()
    swaps.see(hands_of(left, right))
    assert swaps.count == 0
    gone = left.copy()
    gone[30:45] = np.nan
    gone[45:], right[45:] = right[45:], left[45:].copy()
    swaps = HandSwaps()
    swaps.see(hands_of(gone, right))
    assert swaps.count == 0
    assert str(swaps) == ""
