"""What the microphone of a recording heard, out of any of the audio messages that robots have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.families import DECODERS, DESCRIBED, MICROPHONE, TYPES, DescribedBytes
from hearing_hands_ros.sound.capture.monitor import Limits, StreamMonitor

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

INFO_TYPE = "audio_common_msgs/msg/AudioInfo"
OF_PREDICTIONS = ("/predicted/audio", "/predicted/stream")


@dataclass(frozen=True)
class SoundSettings:
    """Which topic is listened to, and what is good sound; the parameters of `microphone` for the source 'topic'.

    Attributes:
        topic: Name; empty where the recording has only one, or one of the package's own microphone.
        topic_type: 'auto' or one of the types that are known.
        info_topic: Where AudioInfo is; empty for 'audio_info' beside the topic.
        sample_rate_hz: For bytes without AudioInfo; 0 for none.
        channels: Likewise.
        limits: See `Limits`.
    """

    topic: str = ""
    topic_type: str = "auto"
    info_topic: str = ""
    sample_rate_hz: int = 0
    channels: int = 1
    limits: Limits = field(default_factory=Limits)


def audio_topics(bag: RecordedBag) -> list[str]:
    """Topics of a recording with sound that a microphone may have heard."""
    topics = {c.topic for c in bag.connections if c.msgtype in TYPES and c.msgcount}
    return sorted(topic for topic in topics if not topic.endswith(OF_PREDICTIONS))


class RecordedSound:
    """Takes the audio messages of one recording as they come, and gives gapless blocks.

    Args:
        bag: The recording.
        settings: Which topic.

    Attributes:
        topic: That is listened to.
        connections: What of the recording is to be given to `take`.
        monitor: Counts what was wrong with the sound.
        refused: Why the last message that was no sound was refused; empty if none was.

    Raises:
        ValueError: The recording has no sound, or not on that topic, or on several and none was chosen.
    """

    def __init__(self, bag: RecordedBag, settings: SoundSettings) -> None:
        self.topic = _choose(bag, settings.topic)
        kinds = (settings.topic_type,) if settings.topic_type != "auto" else TYPES
        heard = [c for c in bag.connections if c.topic == self.topic and c.msgtype in kinds]
        types = sorted({connection.msgtype for connection in heard})
        if len(types) != 1:
            got = ", ".join(types) or "none"
            raise ValueError(f"bag '{bag.path}': wanted one type of sound on '{self.topic}', got {got}")
        self._bag = bag
        self._infos: list[Connection] = []
        self._described = DescribedBytes(settings.sample_rate_hz, settings.channels)
        self._decode: Callable[[Any], Block] = self._described
        if types[0] in DESCRIBED:
            info_topic = settings.info_topic or f"{self.topic.rpartition('/')[0]}/audio_info"
            self._infos = [c for c in bag.connections if c.topic == info_topic and c.msgtype == INFO_TYPE]
        else:
            self._decode = DECODERS[types[0]]
        self.connections: list[Connection] = [*heard, *self._infos]
        self.monitor = StreamMonitor(settings.limits, bag.start_ns / NANOSECONDS)
        self.refused = ""

    @property
    def latched(self) -> list[Connection]:
        """Connections whose messages hold from then on."""
        return self._infos

    @property
    def clock_trouble(self) -> str:
        """What is wrong with the times of the sound, for people; empty if nothing is."""
        counts, most_s = self.monitor.counts, self.monitor.limits.clock_tolerance_s
        found = {
            f"are stamped over {most_s:g} s ahead of the recorder's clock": counts.future,
            f"are stamped over {most_s:g} s behind the recorder's clock": counts.late,
            "go back in time": counts.backwards,
            "jump ahead without a gap": counts.clock_jumps,
            "come faster than sound can, and were refused": counts.flooded,
        }
        texts = [f"{count} blocks of sound {what}" for what, count in found.items() if count]
        return "; ".join(texts)

    def take(self, connection: Connection, stamp_ns: int, raw: bytes) -> list[Block]:
        """Take a message that was recorded at a time; return the sound in it, gaps before it filled."""
        seconds = stamp_ns / NANOSECONDS
        try:
            message = self._bag.deserialize(connection, raw)
            if connection.msgtype == INFO_TYPE:
                self._described.describe(message)
                return []
            block = self._decode(message)
        except Exception as error:  # noqa: BLE001  (as in the running graph: whatever a message holds)
            self.refused = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            self.monitor.refuse(self.refused, seconds)
            return []
        return self.monitor.hear(block, stamp_ns, seconds)


def _choose(bag: RecordedBag, wanted: str) -> str:
    found = audio_topics(bag)
    if wanted:
        topic = wanted if wanted.startswith("/") else f"/{wanted}"
        if topic not in {c.topic for c in bag.connections if c.msgtype in TYPES and c.msgcount}:
            raise ValueError(f"bag '{bag.path}': wanted sound on '{topic}', got none; it has: {bag.topics}")
        return topic
    if not found:
        kinds = ", ".join(TYPES)
        raise ValueError(f"bag '{bag.path}': wanted a topic with sound ({kinds}), got none; it has: {bag.topics}")
    own = [topic for topic in found if topic.endswith(f"/{MICROPHONE}")]
    if len(found) > 1 and len(own) != 1:
        raise ValueError(f"bag '{bag.path}': wanted to be told which topic is the microphone's, got {', '.join(found)}")
    return own[0] if own else found[0]
