"""What a running recording lacks, said while it can still be mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hearing_hands_ros.record.bag_thread import Topic
from hearing_hands_ros.record.robot import Robot
from hearing_hands_ros.record.seen_frames import SeenFrames
from hearing_hands_ros.record.silence import Silence
from hearing_hands_ros.sound.capture.families import TYPES

GRACE_S = 3.0  # publishers take a while to be found
STALLED_S = 2.0


@dataclass
class Heard:
    """What came on a topic.

    Attributes:
        messages: So far.
        last_s: When the last one came.
        rate_hz: Of late.
    """

    messages: int = 0
    last_s: float = 0.0
    rate_hz: float = 0.0
    before: int = 0


class LiveCheck:
    """Follows what is recorded; times are of one clock that never goes back, in s.

    Args:
        robot: Whose hands are to be in TF.
        named: Topics that were asked for.
        images: Whether images are a must.
        begin_s: Present.

    Attributes:
        heard: By topic.
        sounds: The last message of each topic with sound that came since they were last looked at.
    """

    def __init__(self, robot: Robot, named: Sequence[str], images: bool, begin_s: float) -> None:
        self._robot, self._named, self._images = robot, named, images
        self._begin_s = self._rated_s = begin_s
        self._frames = SeenFrames()
        self._silences: dict[str, Silence] = {}
        self._pictures: set[str] = set()
        self.heard: dict[str, Heard] = {}
        self.sounds: dict[str, tuple[Topic, bytes]] = {}

    def take(self, topic: Topic, raw: bytes, now_s: float) -> None:
        """Take a message that is recorded."""
        heard = self.heard.setdefault(topic.name, Heard())
        heard.messages += 1
        heard.last_s = now_s
        if topic.name in ("/tf", "/tf_static"):
            self._frames.take(raw, topic.name == "/tf_static", now_s)
        elif topic.type_name in TYPES:
            self.sounds[topic.name] = topic, raw
        elif topic.is_picture:
            self._pictures.add(topic.name)

    def listen(self, topic: Topic, message: object, now_s: float) -> None:
        """Take a message out of `sounds`, read."""
        self._silences.setdefault(topic.name, Silence(topic.type_name)).take(message, now_s)

    def rate(self, now_s: float) -> None:
        """Work out the rates since this was last asked for."""
        for heard in self.heard.values():
            heard.rate_hz = (heard.messages - heard.before) / max(1e-3, now_s - self._rated_s)
            heard.before = heard.messages
        self._rated_s = now_s

    def lacks(self, now_s: float, troubles: Mapping[str, str]) -> list[str]:
        """What is missing.

        Args:
            now_s: Present.
            troubles: By topic, why one that is wanted cannot be recorded.
        """
        lacks = [f"'{name}' is not recorded: {trouble}" for name, trouble in sorted(troubles.items())]
        if now_s - self._begin_s >= GRACE_S:
            if trouble := self._frames.trouble(self._robot.frames, self._robot.root, now_s):
                lacks.append(trouble)
            lacks += self._of_sound(now_s)
            lacks += self._of_images(now_s)
            absent = [name for name in self._named if name not in self.heard]
            lacks += [f"nothing on '{name}', which was asked for" for name in absent if name not in troubles]
        return [*lacks, *self._robot.notes]

    def _of_sound(self, now_s: float) -> list[str]:
        if not self._silences:
            return ["no sound: nothing on a topic with audio messages; does the microphone run?"]
        lacks = self._stalled(list(self._silences), "sound", now_s)
        spoken = ((name, silence.trouble(now_s)) for name, silence in self._silences.items())
        return lacks or [f"the microphone '{name}' {trouble}" for name, trouble in spoken if trouble]

    def _of_images(self, now_s: float) -> list[str]:
        if not self._pictures and self._images:
            return ["no image: nothing on a topic with images; does the camera run?"]
        return self._stalled(sorted(self._pictures), "image", now_s)

    def _stalled(self, names: Sequence[str], what: str, now_s: float) -> list[str]:
        silent_s = {name: now_s - self.heard[name].last_s for name in names}
        return [f"no {what} on '{name}' for {wait_s:.0f} s" for name, wait_s in silent_s.items() if wait_s > STALLED_S]
