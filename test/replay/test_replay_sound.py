"""Sound out of recordings, in every message that robots have for it."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.replay.sound import RecordedSound, SoundSettings, audio_topics

ROOT = Path(__file__).parents[2]
NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
RATE, CHANNELS, FRAMES, BLOCKS = 16_000, 2, 320, 20
WAVE = np.random.default_rng(0).integers(-20_000, 20_000, (BLOCKS, FRAMES * CHANNELS)).astype("<i2")
FOLDERS = {
    "hearing_hands_ros/msg/Audio": "msg",
    "audio_common_msgs/msg/AudioStamped": "test/interfaces/audio_common_msgs_portaudio/msg",
    "foxglove_msgs/msg/RawAudio": "test/interfaces/foxglove_msgs/msg",
    "audio_utils_msgs/msg/AudioFrame": "test/interfaces/audio_utils_msgs/msg",
    "audio_common_msgs/msg/AudioData": "test/interfaces/audio_common_msgs/msg",
    "audio_common_msgs/msg/AudioDataStamped": "test/interfaces/audio_common_msgs/msg",
}
INFO = "audio_common_msgs/msg/AudioInfo"


class Sender:
    """Makes messages of one type as a recorder finds them."""

    def __init__(self, kind: str) -> None:
        self.kind, self.store = kind, get_typestore(Stores.ROS2_JAZZY)
        package, types = kind.split("/")[0], {}
        for file in (ROOT / FOLDERS[kind]).glob("*.msg"):
            if package != "hearing_hands_ros" or file.stem == "Audio":
                types |= get_types_from_msg(file.read_text(), f"{package}/msg/{file.stem}")
        self.store.register(types)

    def make(self, name: str, **values):
        return self.store.types[name](**values)

    def message(self, block: int, stamp_ns: int):
        stamp = self.make("builtin_interfaces/msg/Time", sec=stamp_ns // NS, nanosec=stamp_ns % NS)
        header = self.make("std_msgs/msg/Header", stamp=stamp, frame_id="ear")
        wave, package = WAVE[block], self.kind.split("/")[0]
        raw = np.frombuffer(wave.tobytes(), np.uint8)
        if self.kind == "hearing_hands_ros/msg/Audio":
            data = (wave / np.float32(32768)).astype(np.float32)
            return self.make(self.kind, header=header, sample_rate_hz=RATE, channels=CHANNELS,
                             first_sample=block * FRAMES, data=data, lost=np.zeros(0, np.bool_))  # fmt: skip
        if self.kind == "foxglove_msgs/msg/RawAudio":
            return self.make(self.kind, timestamp=stamp, data=raw, format="pcm-s16", sample_rate=RATE,
                             number_of_channels=CHANNELS)  # fmt: skip
        if self.kind == "audio_utils_msgs/msg/AudioFrame":
            return self.make(self.kind, header=header, format="signed_16", channel_count=CHANNELS, data=raw,
                             sampling_frequency=RATE, frame_sample_count=FRAMES)  # fmt: skip
        if self.kind == "audio_common_msgs/msg/AudioStamped":
            none = {f"{name}_data": np.zeros(0, dtype) for name, dtype in (
                ("float32", "f4"), ("int32", "i4"), ("int24", "i4"), ("int8", "i1"), ("uint8", "u1"))}  # fmt: skip
            data = self.make(f"{package}/msg/AudioData", int16_data=wave, **none)
            info = self.make(f"{package}/msg/AudioInfo", format=8, channels=CHANNELS, rate=RATE, chunk=FRAMES)
            return self.make(
                self.kind, header=header, audio=self.make(f"{package}/msg/Audio", audio_data=data, info=info)
            )
        audio = self.make("audio_common_msgs/msg/AudioData", data=raw)
        return audio if self.kind.endswith("AudioData") else self.make(self.kind, header=header, audio=audio)

    def info(self):
        return self.make(INFO, channels=CHANNELS, sample_rate=RATE, sample_format="S16LE", bitrate=0,
                         coding_format="wave")  # fmt: skip


def record(path: Path, kind: str, lost: tuple[int, ...] = (), topics: tuple[str, ...] = ("/mic/audio",)) -> Path:
    """Blocks of 20 ms, received 1 ms after they were over; `lost` ones were not."""
    sender = Sender(kind)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = [writer.add_connection(topic, kind, typestore=sender.store) for topic in topics]
        if kind.startswith("audio_common_msgs") and not kind.endswith("AudioStamped"):
            info = writer.add_connection("/mic/audio_info", INFO, typestore=sender.store)
            writer.write(info, START_NS, sender.store.serialize_cdr(sender.info(), INFO))
        for block in range(BLOCKS):
            stamp_ns = START_NS + block * NS // 50
            raw = sender.store.serialize_cdr(sender.message(block, stamp_ns), kind)
            for connection in connections if block not in lost else ():
                writer.write(connection, stamp_ns + NS // 50 + NS // 1000, raw)
    return path


def hear(path: Path, settings: SoundSettings | None = None):
    """The blocks of a recording, and what listened to it."""
    bag = RecordedBag(path)
    sound = RecordedSound(bag, settings or SoundSettings())
    blocks = [block for c, stamp_ns, raw in bag.messages(sound.connections) for block in sound.take(c, stamp_ns, raw)]
    bag.close()
    return blocks, sound


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_family_is_heard_sample_by_sample(tmp_path, kind):
    blocks, sound = hear(record(tmp_path / "bag", kind))
    assert sound.topic == "/mic/audio"
    assert np.array_equal(np.concatenate([block.data for block in blocks]), WAVE.ravel() / np.float32(32768))
    assert {(block.sample_rate_hz, block.channels) for block in blocks} == {(RATE, CHANNELS)}
    stampless = kind.endswith("AudioData")  # then it is the time of its reception less its length
    first_ns = START_NS + (NS // 1000 if stampless else 0)
    assert [block.stamp_ns for block in blocks] == pytest.approx(
        [first_ns + block * NS // 50 for block in range(BLOCKS)], abs=100_000
    )
    assert sound.monitor.counts.lost_frames == 0


def test_what_is_missing_is_marked_and_counted(tmp_path):
    blocks, sound = hear(record(tmp_path / "bag", "foxglove_msgs/msg/RawAudio", lost=(5, 6)))
    assert sum(block.frames for block in blocks) == BLOCKS * FRAMES
    (filled,) = [block for block in blocks if block.lost is not None and block.lost.all()]
    assert filled.frames == sound.monitor.counts.lost_frames == 2 * FRAMES
    assert filled.stamp_ns == pytest.approx(START_NS + 5 * NS // 50, abs=1000)


def test_a_message_that_is_no_sound_is_refused_and_the_rest_is_heard(tmp_path):
    path = record(tmp_path / "bag", "audio_utils_msgs/msg/AudioFrame")
    bag = RecordedBag(path)
    sound = RecordedSound(bag, SoundSettings())
    blocks = []
    for number, (connection, stamp_ns, raw) in enumerate(bag.messages(sound.connections)):
        blocks += sound.take(connection, stamp_ns, raw[:40] if number == 3 else raw)
    bag.close()
    assert sound.monitor.counts.refused == 1
    assert "wanted audio_utils_msgs/msg/AudioFrame on '/mic/audio', got 40 bytes that are none" in sound.refused
    assert sum(block.frames for block in blocks) == BLOCKS * FRAMES  # filled in


def test_of_several_topics_one_must_be_chosen(tmp_path):
    path = record(tmp_path / "bag", "hearing_hands_ros/msg/Audio", topics=("/a", "/b", "/predicted/audio"))
    bag = RecordedBag(path)
    assert audio_topics(bag) == ["/a", "/b"]
    bag.close()
    with pytest.raises(ValueError, match="wanted to be told which topic is the microphone's, got /a, /b"):
        hear(path)
    assert hear(path, SoundSettings(topic="b"))[1].topic == "/b"
    with pytest.raises(
        ValueError,
        match=r"wanted sound on '/c', got none; it has: /a \(Audio\), /b \(Audio\), /predicted/audio \(Audio\)",
    ):
        hear(path, SoundSettings(topic="/c"))


def test_what_was_predicted_is_never_taken_for_what_a_microphone_heard(tmp_path):
    predicted = ("/predicted/audio", "/predicted/stream", "/left/predicted/stream")
    kind = "hearing_hands_ros/msg/Audio"
    assert hear(record(tmp_path / "both", kind, topics=(*predicted, "/usb")))[1].topic == "/usb"
    with pytest.raises(ValueError, match="sound"):
        hear(record(tmp_path / "only", kind, topics=predicted))


def test_the_package_s_own_microphone_is_taken_before_another(tmp_path):
    topics = ("/a", "/left/heard/audio")
    assert hear(record(tmp_path / "one", "hearing_hands_ros/msg/Audio", topics=topics))[1].topic == "/left/heard/audio"
    two = record(tmp_path / "two", "hearing_hands_ros/msg/Audio", topics=(*topics, "/heard/audio"))
    with pytest.raises(ValueError, match="which topic is the microphone's, got /a, /heard/audio, /left/heard/audio"):
        hear(two)


def test_bytes_of_which_nobody_says_what_they_are_are_refused_until_told(tmp_path):
    path = record(tmp_path / "bag", "audio_common_msgs/msg/AudioDataStamped")
    blocks, sound = hear(path, SoundSettings(info_topic="/nowhere"))
    assert blocks == []
    assert "wanted rate and channels from an AudioInfo message" in sound.refused
    told = SoundSettings(info_topic="/nowhere", sample_rate_hz=RATE, channels=CHANNELS)
    assert len(hear(path, told)[0]) == BLOCKS
