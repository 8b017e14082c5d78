"""Listens to a running graph and keeps what it publishes."""

from __future__ import annotations

import threading
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock as ClockMsg

from hearing_hands_ros.compare.verdict import Verdict as VerdictCode
from hearing_hands_ros.demo.recording import Recording, Verdict
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import Audio, HandTrajectory, SoundComparison, SoundPrediction
from hearing_hands_ros.ros.hand_messages import stamp_to_ns
from hearing_hands_ros.ros.sound_messages import read_audio, read_hands, read_prediction
from hearing_hands_ros.sequence import SequenceConfig


class RunRecorder:
    """Records on a thread of its own, in a context of its own, until `close`.

    Args:
        until_ns: Diagnostics of later than this, on /clock, are kept apart: nobody moves any more.
    """

    def __init__(self, until_ns: int) -> None:
        self._until_ns = until_ns
        self.recording = Recording()
        self.now_ns = 0  # of /clock
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("run_recorder", context=self._context)
        deep = QoSProfile(depth=500, durability=DurabilityPolicy.VOLATILE)
        for kind, topic, callback in (
            (ClockMsg, "/clock", self._on_clock),
            (HandTrajectory, "hands", self._on_hands),
            (SoundPrediction, "predicted", self._on_predicted),
            (Audio, "heard/audio", self._on_audio),
            (SoundComparison, "comparison", self._on_comparison),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics),
        ):
            self._node.create_subscription(kind, topic, callback, deep)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> Recording:
        """Stop listening and return what was heard."""
        self._context.try_shutdown()
        self._thread.join(timeout=5.0)
        return self.recording

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        finally:
            self._node.destroy_node()

    def _on_clock(self, message: ClockMsg) -> None:
        self.now_ns = stamp_to_ns(message.clock)

    def _on_hands(self, message: HandTrajectory) -> None:
        motion, _ = read_hands(message)
        self.recording.windows += 1
        for contact in motion.contacts:
            self.recording.contacts[contact.contact_id] = contact
            frame = round((contact.start_ns - motion.start_ns) * motion.rate_hz / NANOSECONDS)
            if 0 <= frame < len(motion.keypoints) and motion.valid[frame, contact.hand]:
                self.recording.hands[contact.contact_id] = motion.keypoints[frame], motion.valid[frame]

    def _on_predicted(self, message: SoundPrediction) -> None:
        self.recording.predictions[int(message.id)] = read_prediction(message, SequenceConfig())
        self.recording.prediction_latency_s.append(float(message.latency))

    def _on_audio(self, message: Audio) -> None:
        samples, _ = read_audio(message)
        mono = samples.mean(axis=1)
        self.recording.audio.append((stamp_to_ns(message.header.stamp), mono, int(message.sample_rate_hz)))

    def _on_comparison(self, message: SoundComparison) -> None:
        self.recording.verdicts.append(
            Verdict(
                stamp_ns=stamp_to_ns(message.header.stamp),
                verdict=VerdictCode(message.verdict).name,
                reason=message.reason,
                contact_id=int(message.contact_id),
                prediction_id=int(message.prediction_id),
                lag_s=float(message.lag),
                p_value=float(message.p_value),
                nearest_material=message.nearest_material,
                latency_s=float(message.latency),
            )
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        kept = self.recording.diagnostics if self.now_ns <= self._until_ns else self.recording.afterwards
        for status in message.status:
            values: dict[str, Any] = {pair.key: pair.value for pair in status.values}
            kept[status.name] = (int.from_bytes(status.level, "little"), status.message, values)
