"""Listens to a running graph and writes its verdicts, with their predictions and sounds, as a replay's results."""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock

from hearing_hands_ros.compare.comparator import Comparison
from hearing_hands_ros.compare.evidence import Difference
from hearing_hands_ros.compare.judge import Judgement
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.compare.watch import Watched
from hearing_hands_ros.msg import Audio, ContactEvent, SoundComparison, SoundPrediction
from hearing_hands_ros.predictors.protocol import Contact, Prediction
from hearing_hands_ros.replay.writer import ResultWriter
from hearing_hands_ros.ros.hand_messages import stamp_to_ns
from hearing_hands_ros.ros.sound_messages import read_audio, read_contact, read_prediction
from hearing_hands_ros.sequence import SequenceConfig

REMEMBERED = 64
"""Touches and predictions of which no verdict has come yet."""

DEPTH = 500

T = TypeVar("T")


class ReplayListener:
    """Listens on a thread of its own, in a context of its own, until `close`.

    Args:
        writer: Takes what is heard; nobody else uses it until then.

    Attributes:
        now_ns: The newest time of /clock; 0 before the first.
        counts: What came.
        failure: What kept it from writing; None if nothing did.
        warnings: The newest message of each node that does not say that all is well.
    """

    def __init__(self, writer: ResultWriter) -> None:
        self.now_ns = 0
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None
        self.warnings: dict[str, str] = {}
        self._writer = writer
        self._contacts: OrderedDict[int, Contact] = OrderedDict()
        self._predictions: OrderedDict[int, Prediction] = OrderedDict()
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("replay_listener", context=self._context)
        for kind, topic, callback in (
            (Clock, "/clock", self._on_clock),
            (ContactEvent, "contacts", self._on_contact),
            (SoundPrediction, "predicted", self._on_predicted),
            (Audio, "heard/audio", self._on_audio),
            (SoundComparison, "comparison", self._on_comparison),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics),
        ):
            self._node.create_subscription(kind, topic, self._guarded(callback), QoSProfile(depth=DEPTH))
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening.

        Raises:
            OSError: Something could not be written.
        """
        self._context.try_shutdown()
        self._thread.join(timeout=5.0)
        if self.failure is not None:
            raise self.failure

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        finally:
            self._node.destroy_node()

    def _guarded(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        """A callback that refuses what cannot be read, and writes nothing more once that has failed."""

        def guarded(message: Any) -> None:
            try:
                if self.failure is None:
                    callback(message)
            except ValueError:
                self.counts["messages_refused"] += 1
            except OSError as error:
                self.failure = error

        return guarded

    def _on_clock(self, message: Clock) -> None:
        self.now_ns = stamp_to_ns(message.clock)

    def _on_contact(self, message: ContactEvent) -> None:
        if message.phase == ContactEvent.ENDED:
            self.counts["touches"] += 1
            _remember(self._contacts, int(message.id), read_contact(message))

    def _on_predicted(self, message: SoundPrediction) -> None:
        self.counts["predictions"] += 1
        _remember(self._predictions, int(message.id), read_prediction(message, SequenceConfig()))

    def _on_audio(self, message: Audio) -> None:
        samples, lost = read_audio(message)
        self.counts["sound_blocks"] += 1
        self.counts["sound_samples"] += len(samples)
        self.counts["sound_samples_lost"] += int(lost.sum())
        self._writer.hear(stamp_to_ns(message.header.stamp), samples, int(message.sample_rate_hz), lost)

    def _on_comparison(self, message: SoundComparison) -> None:
        contact = self._contacts.pop(int(message.contact_id), None)
        prediction = self._predictions.pop(int(message.prediction_id), None)
        self._writer.take(read_comparison(message, contact), prediction, float(message.latency))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.warnings.pop(status.name, None)
            if int.from_bytes(status.level, "little"):
                self.warnings[status.name] = status.message


def read_comparison(message: SoundComparison, contact: Contact | None) -> Comparison:
    """A verdict of its message; the touch that it is on comes from another."""
    stamp_ns = stamp_to_ns(message.header.stamp)
    differs = (
        message.difference_low,
        message.difference_high,
        message.difference_begin,
        message.difference_end,
        message.difference_level,
    )
    judgement = Judgement(
        Verdict(message.verdict),
        message.reason,
        heard_onset=message.heard_onset,
        lag_s=float(message.lag),
        onsets_s=tuple(message.onsets),
        p_value=float(message.p_value),
        company=message.compared_with,
        scores=dict(zip(message.score_names, message.score_values, strict=True)),
        anomaly=message.likely_anomaly,
        nearest_material=message.nearest_material,
        expected_material=message.predicted_material,
        difference=Difference(*differs) if all(map(math.isfinite, differs)) else None,
        watched=Watched(
            dict(zip(message.baseline_names, message.baseline_p_values, strict=True)),
            float(message.change),
            message.change_alarm,
        ),
    )
    since_ns = stamp_ns if contact is None else contact.end_ns
    return Comparison(stamp_ns, judgement, contact, int(message.prediction_id), since_ns)


def _remember(known: OrderedDict[int, T], number: int, value: T) -> None:
    known[number] = value
    if len(known) > REMEMBERED:
        known.popitem(last=False)
