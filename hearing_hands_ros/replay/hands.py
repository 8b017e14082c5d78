"""Hands and touches in the scene out of recorded TF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING

from hearing_hands_ros.motion.contact import Surface
from hearing_hands_ros.motion.follower import FollowerSettings, HandFollower
from hearing_hands_ros.motion.tracker import TrackedWindow
from hearing_hands_ros.predictors.candidates import contact_of
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.replay.hand_swaps import HandSwaps
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.replay.recorded_poses import RecordedPoses
from hearing_hands_ros.replay.scene_check import SceneCheck
from hearing_hands_ros.replay.tf_thinning import TfThinning
from hearing_hands_ros.ros.tf2_bytes import MalformedMessageError
from hearing_hands_ros.scene.bundle import SceneBundle

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

TF_TYPE = "tf2_msgs/msg/TFMessage"
TF_TOPICS = ("/tf", "/tf_static")


@dataclass(frozen=True, eq=False)
class SeenHands:
    """A window of hands as the graph publishes it.

    Attributes:
        motion: Hands, and all touches in the window, oldest first.
        ended: Which of the touches are over.
    """

    motion: HandMotion
    ended: tuple[bool, ...]

    @property
    def done(self) -> HandMotion:
        """The motion with those touches only that are over."""
        return replace(self.motion, contacts=tuple(compress(self.motion.contacts, self.ended)))

    @property
    def going_on(self) -> tuple[Contact, ...]:
        """Touches that are not."""
        return tuple(compress(self.motion.contacts, (not over for over in self.ended)))

    @classmethod
    def of(cls, window: TrackedWindow, materials: Sequence[str]) -> SeenHands:
        """From the tracker's window; `materials` are the scene's label names."""
        hands, touches = window.hands, window.touches
        contacts = tuple(contact_of(touch, materials) for touch in touches)
        motion = HandMotion(hands.start_ns, float(hands.rate_hz), hands.keypoints, hands.valid, contacts)
        return cls(motion, tuple(touch.ended for touch in touches))


class RecordedHands:
    """Takes the TF messages of one recording as they come, and follows hands through them.

    The scene is where its bundle says; what the recording says of its frame does not count.

    Args:
        bag: The recording.
        bundle: The scene, registered.
        surface: Of it.
        settings: Which frames are followed.

    Attributes:
        connections: What of the recording is to be given to `take`.
        follower: Counts frames and touches, and says why a hand is not followed.
        counts: Messages of TF that were taken, and those that were malformed.
        scene: Doubts that this is the scene that was touched; wants to hear the sound, too.
        swaps: Counts how often the hands were mixed up.

    Raises:
        ValueError: The recording has no TF, or there is no hand to follow.
    """

    def __init__(self, bag: RecordedBag, bundle: SceneBundle, surface: Surface, settings: FollowerSettings) -> None:
        self.connections: list[Connection] = [
            c for c in bag.connections if c.topic in TF_TOPICS and c.msgtype == TF_TYPE
        ]
        if not any(connection.msgcount for connection in self.connections):
            raise ValueError(
                f"bag '{bag.path}': wanted TF ({TF_TYPE} on {' and '.join(TF_TOPICS)}), got none; it has: {bag.topics}"
            )
        self.counts: Counter[str] = Counter()
        self.scene, self.swaps = SceneCheck(), HandSwaps()
        self._thinning = TfThinning(settings.tracker.rate_hz)
        self._materials = bundle.material_names
        hands = settings.frames_of_hand().values()
        self._poses = RecordedPoses(bundle.frame_id, [frame for frames in hands if len(frames) > 1 for frame in frames])
        w, x, y, z = (float(value) for value in bundle.rotation_wxyz)
        place = tuple(float(value) for value in bundle.translation_m)
        self._poses.tree.insert(bundle.parent_frame, bundle.frame_id, 0, (*place, x, y, z, w), "scene", True)
        # Not a method of this object: a follower that held it would keep all its transforms until Python looks for
        # cycles.
        self.follower = HandFollower(surface, settings, self._poses.look_up)

    @property
    def latched(self) -> list[Connection]:
        """Connections whose messages hold from then on."""
        return [connection for connection in self.connections if connection.topic == "/tf_static"]

    def take(self, connection: Connection, raw: bytes) -> None:
        """Take a message of TF."""
        self.counts["messages"] += 1
        is_static = connection.topic == "/tf_static"
        for kept in [raw] if is_static else self._thinning.kept(raw):
            self._insert(kept, connection.topic, is_static)

    def _insert(self, raw: bytes, topic: str, is_static: bool) -> None:
        try:
            self._poses.take(raw, topic, is_static)
        except MalformedMessageError:
            self.counts["malformed"] += 1
            self.counts["messages"] -= 1

    def advance(self, now_ns: int) -> list[SeenHands]:
        """Windows that are due at a time."""
        windows = [each.window for each in self.follower.advance(now_ns) if each.window is not None]
        for window in windows:
            self.scene.see(window)
            self.swaps.see(window.hands)
        self.scene.advance(now_ns)
        return [SeenHands.of(window, self._materials) for window in windows]

    def trouble(self) -> str:
        """Why no hand is followed, for people; empty if one was seen."""
        counts, follower = self.follower.counts, self.follower
        if counts["frames"] > counts["invalid_frames"]:
            return ""
        wanted = {frame for frames in follower.frames_of_hand.values() for frame in frames}
        self._poses.settle()
        if missing := sorted(wanted - set(self._poses.tree.frame_names())):
            return f"TF has no frame {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}"
        return "; ".join(follower.lost().values())
