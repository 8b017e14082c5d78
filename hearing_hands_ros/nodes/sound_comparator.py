"""Compares predicted and heard sound, and gives a verdict on every touch and every sound that no touch explains."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hearing_hands_ros.compare.calibration import Calibration
from hearing_hands_ros.compare.collection import CalibrationCollection
from hearing_hands_ros.compare.comparator import Comparator, ComparatorSettings, Comparison
from hearing_hands_ros.compare.judge import TouchJudge
from hearing_hands_ros.compare.materials import MaterialModel
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import Audio, HandTrajectory, SoundComparison, SoundPrediction
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN
from hearing_hands_ros.ros.hand_messages import stamp_to_ns
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.sound_messages import comparison_message, read_audio, read_hands, read_prediction
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.srv import Calibrate

POLL_HZ = 40.0
STALE_S = 1.0
AUDIO_DEPTH = 50


@dataclass(frozen=True)
class SoundComparatorParameters(CommonParameters):
    """Parameters of `sound_comparator`."""

    bank: str = parameter(
        "", "Folder of recorded touches (bank.yaml): tells materials apart; empty: spectrograms only."
    )
    calibration: str = parameter("", "Scores of normal touches (YAML); empty: calibration.yaml in the bank's folder.")
    calibration_folder: str = parameter("~/.ros/hearing_hands_ros", "Where the service `calibrate` saves its results.")
    alpha: float = parameter(
        0.05, "Rate of false alarms: share of normal touches called DIFFERENT.", low=0.0001, high=0.5
    )
    microphone_lag_s: float = parameter(0.0, "Heard minus true time of a sound, s.", low=-1.0, high=1.0)
    search_s: float = parameter(0.05, "An onset this far from its touch still belongs to it, s.", low=0.01, high=0.5)
    segment_s: float = parameter(0.6, "Sound that is waited for after a touch begins, s.", low=0.3, high=5.0)
    rings_s: float = parameter(
        0.6, "For so long after a touch further onsets are part of its sound, s.", low=0.1, high=5.0
    )
    prediction_wait_s: float = parameter(1.5, "How long a touch waits for its prediction, s.", low=0.1, high=30.0)
    heard_wait_s: float = parameter(1.0, "How long overdue sound is waited for, s.", low=0.1, high=30.0)
    hands_wait_s: float = parameter(1.5, "How long a sound waits for word of the hands, s.", low=0.1, high=30.0)


class SoundComparator(ManagedNode):
    """`heard/audio`, `hands` and `predicted` in, `comparison` out; serves `~/calibrate`."""

    parameters_class = SoundComparatorParameters

    def __init__(self) -> None:
        super().__init__("sound_comparator")
        self._comparison = self.create_lifecycle_publisher(SoundComparison, "comparison", 50)
        self.create_service(Calibrate, "~/calibrate", self._on_calibrate)
        self._inputs: list[Any] = []
        self._timer: Any = None

    def configure(self) -> None:
        """Load the bank and the calibration."""
        self.p = read_parameters(self, SoundComparatorParameters)
        materials, path = None, self.p.calibration
        if self.p.bank:
            materials = MaterialModel.fit(ExampleBank.load(Path(self.p.bank).expanduser()))
            path = path or str(Path(self.p.bank) / "calibration.yaml")
        calibration = Calibration.load(Path(path).expanduser()) if path else None
        self._comparator = Comparator(
            TouchJudge(materials, calibration, self.p.alpha, self.p.search_s),
            ComparatorSettings(
                microphone_lag_s=self.p.microphone_lag_s,
                search_s=self.p.search_s,
                segment_s=self.p.segment_s,
                rings_s=self.p.rings_s,
                prediction_wait_s=self.p.prediction_wait_s,
                heard_wait_s=self.p.heard_wait_s,
                hands_wait_s=self.p.hands_wait_s,
            ),
        )
        self._counts: Counter[str] = Counter()
        self._lags: deque[float] = deque(maxlen=50)
        self._latencies: deque[float] = deque(maxlen=200)
        self._last_hands_ns = 0
        self._last_error = ""
        self._now_ns = 0
        self._frame_id = ""
        self._collection: CalibrationCollection | None = None
        self.get_logger().info(
            f"calibration: {calibration.source if calibration else 'none, so every verdict on a sound is UNKNOWN'}; "
            f"alpha {self.p.alpha:g}"
        )

    def activate(self) -> None:
        """Begin to compare."""
        self._inputs = [
            self.create_subscription(Audio, "heard/audio", self._on_audio, AUDIO_DEPTH),
            self.create_subscription(HandTrajectory, "hands", self._on_hands, 10),
            self.create_subscription(SoundPrediction, "predicted", self._on_predicted, 10),
        ]
        self._timer = self.create_timer(1.0 / POLL_HZ, self._tick)

    def deactivate(self) -> None:
        """Cease to compare."""
        self.destroy_timer(self._timer)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        self._comparator.clear()

    def cleanup(self) -> None:
        """Let go of bank and calibration."""
        del self._comparator

    def status(self, status: Any) -> tuple[bytes, str]:
        """Say whether verdicts can be given, and which were."""
        for verdict in Verdict:
            status.add(verdict.name, self._counts[verdict.name])
        status.add("refused_messages", self._counts["refused"])
        status.add("clock_jumps", self._counts["clock_jumps"])
        if self._lags:
            status.add("lag_median_s", f"{np.median(self._lags):.4f}")
        if self._latencies:
            status.add("latency_p95_s", f"{np.percentile(self._latencies, 95):.3f}")
        if self._last_error:
            error, self._last_error = self._last_error, ""
            return ERROR, error
        calibration = self._comparator.judge.calibration
        if calibration is None:
            return WARN, "UNKNOWN: not calibrated"
        until_ns = self._comparator.heard_until_ns
        if until_ns is None or self._now_ns - until_ns > STALE_S * NANOSECONDS:
            return WARN, "UNKNOWN: no sound from the microphone"
        if self._now_ns - self._last_hands_ns > STALE_S * NANOSECONDS:
            return WARN, "UNKNOWN: no hands from the tracker"
        return OK, "comparing"

    def _on_audio(self, message: Audio) -> None:
        try:
            samples, lost = read_audio(message)
        except ValueError as error:
            self._refuse(error)
            return
        self._comparator.hear(stamp_to_ns(message.header.stamp), samples, int(message.sample_rate_hz), lost)

    def _on_hands(self, message: HandTrajectory) -> None:
        try:
            motion, going_on = read_hands(message)
        except ValueError as error:
            self._refuse(error)
            return
        self._frame_id = message.header.frame_id
        self._comparator.see(motion, going_on)
        self._last_hands_ns = self.get_clock().now().nanoseconds

    def _on_predicted(self, message: SoundPrediction) -> None:
        try:
            prediction = read_prediction(message, self._comparator.judge.sequence)
        except ValueError as error:
            self._refuse(error)
            return
        self._comparator.expect(prediction, int(message.id))

    def _refuse(self, error: ValueError) -> None:
        self._counts["refused"] += 1
        self._last_error = str(error)
        self.get_logger().error(str(error), throttle_duration_sec=2.0)

    def _tick(self) -> None:
        """Publish the verdicts that are due."""
        now_ns = self.get_clock().now().nanoseconds
        if now_ns < self._now_ns:
            self._counts["clock_jumps"] += 1
            self.get_logger().warning("the clock went back: starting afresh")
            self._comparator.clear()
        self._now_ns = now_ns
        for comparison in self._comparator.poll(now_ns):
            self._publish(comparison)

    def _publish(self, comparison: Comparison) -> None:
        judgement = comparison.judgement
        message = comparison_message(comparison, self._frame_id)
        message.alpha = self.p.alpha
        message.latency = (self.get_clock().now().nanoseconds - comparison.since_ns) / NANOSECONDS
        self._comparison.publish(message)
        self._counts[judgement.verdict.name] += 1
        self._latencies.append(message.latency)
        if np.isfinite(judgement.lag_s):
            self._lags.append(judgement.lag_s)
        if judgement.verdict == Verdict.UNKNOWN:
            self.get_logger().warning(f"UNKNOWN: {judgement.reason}", throttle_duration_sec=2.0)
        elif judgement.verdict != Verdict.NORMAL:
            self.get_logger().info(f"{judgement.verdict.name}: {judgement.reason}")
        if self._collection is not None and comparison.contact is not None:
            self._collect(self._collection, comparison)

    # Calibration.

    def _on_calibrate(self, request: Any, response: Any) -> Any:
        if not self.is_active:
            response.message = "calibrate: wants an active node, got one that is not"
            return response
        if request.touches == 0:
            stopped = self._collection is not None
            self._collection = None
            response.accepted, response.message = stopped, "stopped" if stopped else "calibrate: nothing was running"
            return response
        try:
            self._collection = CalibrationCollection(int(request.touches), request.name)
        except ValueError as error:
            response.message = str(error)
            return response
        response.accepted, response.message = True, f"the next {request.touches} touches that are heard count as normal"
        return response

    def _collect(self, collection: CalibrationCollection, comparison: Comparison) -> None:
        if not collection.add(comparison.judgement.touch):
            return
        self._collection = None
        try:
            calibration, done = collection.finish(Path(self.p.calibration_folder).expanduser())
        except OSError as error:
            self._last_error = f"calibrate: {error}"
            self.get_logger().error(self._last_error)
            return
        self._comparator.judge.calibration = calibration
        self.get_logger().info(done)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(SoundComparator, args)


if __name__ == "__main__":
    main()
