"""Compares predicted and heard sound, and gives a verdict on every touch and every sound that no touch explains."""

from __future__ import annotations

import time
from array import array
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sensor_msgs.msg import Image

from hearing_hands_ros.compare.collection import CalibrationCollection
from hearing_hands_ros.compare.comparator import (
    RING_S,
    Comparator,
    Comparison,
    frame_times_ns,
)
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.ego_noise import EgoNoise
from hearing_hands_ros.compare.judge import Judgement, TouchJudge
from hearing_hands_ros.compare.scoring.picture import picture
from hearing_hands_ros.compare.scoring.scorer import ANOMALY
from hearing_hands_ros.compare.scoring.shipped import load_scorer
from hearing_hands_ros.compare.settings import ComparatorSettings
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import Audio, HandTrajectory, SoundComparison, SoundPrediction
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN
from hearing_hands_ros.ros.hand_messages import stamp_from_ns, stamp_to_ns
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.sound_messages import comparison_message, read_audio, read_hands, read_prediction
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.sound.touch_picture import touch_picture
from hearing_hands_ros.srv import Calibrate

POLL_HZ = 100.0
STALE_S = 1.5  # sound or hands older than this are missing
SILENT_S = 3.0  # exact zeros for longer than this are no sound
AHEAD_S = 1.0  # a stamp farther ahead than this is from before the clock jumped, or from another clock
TOLD_S = 15.0  # a change of many touches is a warning for so long after it was found
AUDIO_DEPTH = 500  # a calibration is made in one go, and no sound shall be lost meanwhile


@dataclass(frozen=True)
class SoundComparatorParameters(CommonParameters):
    """Parameters of `sound_comparator`."""

    calibration: str = parameter(
        "", "Scores of normal touches (`hearing-hands calibrate normal`); empty: none, so every verdict is UNKNOWN."
    )
    listener: str = parameter("", "Folder of the network that names materials; empty: the one that ships.")
    anomalies: str = parameter("", "How scores are weighed (YAML); empty: the file that ships.")
    ego_noise: str = parameter(
        "", "Noise of the robot itself (`hearing-hands calibrate ego`); empty: none is known. Calibrate with it, too."
    )
    calibration_folder: str = parameter("~/.ros/hearing_hands_ros", "Where the service `calibrate` saves its results.")
    alpha: float = parameter(
        0.05, "Rate of false alarms: share of normal touches whose verdict is not NORMAL.", low=0.0001, high=0.5
    )
    run_length: float = parameter(
        1000.0, "Touches between false alarms of a change, on average.", low=10.0, high=1000000.0
    )
    microphone_lag_s: float = parameter(0.0, "Heard minus true time of a sound, s.", low=-1.0, high=1.0)
    search_s: float = parameter(0.05, "An onset this far from its touch still belongs to it, s.", low=0.01, high=0.25)
    segment_s: float = parameter(
        0.3, "Sound that is waited for after a touch begins, s; calibrate with the same.", low=0.2, high=5.0
    )
    rings_s: float = parameter(
        0.6, "For so long after a touch further onsets may be part of its sound, s.", low=0.1, high=5.0
    )
    prediction_wait_s: float = parameter(1.5, "How long a touch waits for its prediction, s.", low=0.1, high=30.0)
    heard_wait_s: float = parameter(1.0, "How long overdue sound is waited for, s.", low=0.1, high=30.0)
    news_s: float = parameter(
        0.08,
        "The tracker tells at once of a touch that begins; after this, no news is that none has, s.",
        low=0.0,
        high=5.0,
    )
    hands_wait_s: float = parameter(1.5, "How long a sound waits for word of the hands, s.", low=0.1, high=30.0)


class SoundComparator(ManagedNode):
    """`heard/audio`, `hands` and `predicted` in, `comparison` and its picture out; serves `~/calibrate`."""

    parameters_class = SoundComparatorParameters

    def __init__(self) -> None:
        super().__init__("sound_comparator")
        self._comparison = self.create_lifecycle_publisher(SoundComparison, "comparison", 50)
        self._picture = self.create_lifecycle_publisher(Image, "comparison/picture", 5)
        self.create_service(Calibrate, "~/calibrate", self._on_calibrate)
        self._inputs: list[Any] = []
        self._timer: Any = None

    def configure(self) -> None:
        """Load the scorer and the calibration."""
        self.p = read_parameters(self, SoundComparatorParameters)
        scorer = load_scorer(self.p.listener, self.p.anomalies)
        path = Path(self.p.calibration).expanduser() if self.p.calibration else None
        calibration = ConformalCalibration.load(path) if path else None
        ego_noise = EgoNoise.load(Path(self.p.ego_noise).expanduser()) if self.p.ego_noise else None
        judge = TouchJudge(
            scorer,
            calibration,
            self.p.alpha,
            self.p.search_s,
            self.p.run_length,
            "" if ego_noise is None else ego_noise.digest,
            self.p.segment_s,
        )
        self._comparator = Comparator(
            judge,
            ComparatorSettings(
                microphone_lag_s=self.p.microphone_lag_s,
                search_s=self.p.search_s,
                segment_s=self.p.segment_s,
                rings_s=self.p.rings_s,
                prediction_wait_s=self.p.prediction_wait_s,
                heard_wait_s=self.p.heard_wait_s,
                news_s=self.p.news_s,
                hands_wait_s=self.p.hands_wait_s,
            ),
            ego_noise,
        )
        self._counts: Counter[str] = Counter()
        self._lags: deque[float] = deque(maxlen=50)
        self._latencies: deque[float] = deque(maxlen=200)
        self._unpredicted = 0  # touches in a row
        self._changed_ns = -round(TOLD_S * NANOSECONDS)  # of the last change alarm
        self._last_error = ""
        self._frame_id = ""
        self._collection: CalibrationCollection | None = None
        self._tell_calibration()

    def _tell_calibration(self) -> None:
        """Say by what verdicts are given, and where it is thin."""
        judge, logger = self._comparator.judge, self.get_logger()
        if judge.unarmed or judge.calibration is None:
            logger.warning(f"every verdict is UNKNOWN: {judge.unarmed}")
            return
        logger.info(f"calibration: {judge.calibration.source}; alpha {judge.alpha:g}")
        for note in judge.calibration.shortages(ANOMALY, judge.alpha):
            logger.warning(f"calibration: {note}")
        if not judge.judges_after:
            logger.warning("calibration: what begins after normal touches is not known, so nobody judges it")

    def activate(self) -> None:
        """Begin to compare."""
        self._now_ns, self._ticked_s = 0, time.monotonic()
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

    def cleanup(self) -> None:
        """Let go of scorer and calibration."""
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
        drifting = ""
        if watch := self._comparator.judge.watch:
            status.add("change_alarm", str(watch.alarm))
            for name, value in watch.drift.values.items():
                status.add(f"drift: {name}", f"{value:+.1f}")
            drifting = "; ".join(watch.drift.report())
        calibrating = "" if self._collection is None else f"; {self._collection}"
        if self._last_error:
            error, self._last_error = self._last_error, ""
            return ERROR, error + calibrating
        if missing := self._missing():
            return WARN, f"UNKNOWN: {missing}{calibrating}"
        if self._now_ns - self._changed_ns < TOLD_S * NANOSECONDS:
            return WARN, f"touches have become odder than they were, {self._changed_before()}{calibrating}"
        if drifting:
            return WARN, f"microphone or room are not as at the calibration: {drifting}{calibrating}"
        return OK, f"comparing{calibrating}"

    def _changed_before(self) -> str:
        return f"{(self._now_ns - self._changed_ns) / NANOSECONDS:.0f} s ago"

    def _missing(self) -> str:
        """What verdicts cannot be given without; empty if nothing is missing."""
        comparator = self._comparator
        if comparator.judge.unarmed:
            return comparator.judge.unarmed
        if time.monotonic() - self._ticked_s > STALE_S:
            return "the clock stands"
        if self._is_stale(comparator.heard_until_ns):
            return "no sound from the microphone"
        if not comparator.hears_something(SILENT_S):
            return "nothing but zeros or lost samples from the microphone"
        if self._is_stale(comparator.hands_until_ns):
            return "no hands from the tracker"
        if self._is_stale(comparator.followed_until_ns):
            return "the tracker follows no hand"
        if not self.count_publishers("predicted"):
            return "no predictions: no generator is there"
        if self._unpredicted:
            return f"no predictions from the generator for the last {self._unpredicted} touches"
        return ""

    def _is_stale(self, until_ns: int | None) -> bool:
        return until_ns is None or self._now_ns - until_ns > STALE_S * NANOSECONDS

    def _on_audio(self, message: Audio) -> None:
        try:
            samples, lost = read_audio(message)
            stamp_ns, rate_hz = stamp_to_ns(message.header.stamp), int(message.sample_rate_hz)
            self._check_time("Audio", stamp_ns)
            self._comparator.hear(stamp_ns, samples, rate_hz, lost)
        except ValueError as error:
            self._refuse(error)

    def _on_hands(self, message: HandTrajectory) -> None:
        try:
            motion, going_on = read_hands(message)
            ends_ns = [contact.end_ns for contact in (*motion.contacts, *going_on)]
            self._check_time("HandTrajectory", frame_times_ns(motion)[-1], *ends_ns)
            self._comparator.see(motion, going_on)
        except ValueError as error:
            self._refuse(error)
            return
        self._frame_id = message.header.frame_id

    def _on_predicted(self, message: SoundPrediction) -> None:
        try:
            prediction = read_prediction(message, self._comparator.judge.sequence)
            self._check_time("SoundPrediction", prediction.start_ns, *(c.end_ns for c in prediction.contacts))
            self._comparator.expect(prediction, int(message.id))
        except ValueError as error:
            self._refuse(error)
            return
        self._unpredicted = 0

    def _check_time(self, who: str, *stamps_ns: int) -> None:
        """Refuse what has not happened yet."""
        ahead_s = (max(stamps_ns) - self.get_clock().now().nanoseconds) / NANOSECONDS
        if self._now_ns and ahead_s > AHEAD_S:  # before the first tick nothing is kept anyway
            raise ValueError(f"{who}: wants a time at most {AHEAD_S:g} s ahead of the clock, got {ahead_s:.1f} s")

    def _refuse(self, error: ValueError) -> None:
        self._counts["refused"] += 1
        self._last_error = str(error)
        self.get_logger().error(str(error), throttle_duration_sec=2.0)

    def _tick(self) -> None:
        """Publish the verdicts that are due."""
        now_ns = self.get_clock().now().nanoseconds
        jumped = self._now_ns and not self._now_ns <= now_ns <= self._now_ns + RING_S * NANOSECONDS
        if jumped:
            self._counts["clock_jumps"] += 1
            way = "went back" if now_ns < self._now_ns else f"jumped ahead by over {RING_S:g} s"
            self.get_logger().warning(f"the clock {way}: starting afresh")
        if jumped or self._now_ns == 0:
            self._comparator.clear(now_ns)
            self._changed_ns = now_ns - round(TOLD_S * NANOSECONDS)
        self._now_ns, self._ticked_s = now_ns, time.monotonic()
        for comparison in self._comparator.poll(now_ns):
            self._publish(comparison)
        quiet, after = self._comparator.take_quiet(), self._comparator.take_after()
        if self._collection is not None:
            self._collection.add_quiet(quiet, after)

    def _publish(self, comparison: Comparison) -> None:
        judgement = comparison.judgement
        message = comparison_message(comparison, self._frame_id)
        message.alpha = self.p.alpha
        message.latency = (self.get_clock().now().nanoseconds - comparison.since_ns) / NANOSECONDS
        self._comparison.publish(message)
        self._draw(comparison)
        self._counts[judgement.verdict.name] += 1
        self._latencies.append(message.latency)
        if np.isfinite(judgement.lag_s):
            self._lags.append(judgement.lag_s)
        if judgement.verdict == Verdict.UNKNOWN:
            self.get_logger().warning(f"UNKNOWN: {judgement.reason}", throttle_duration_sec=2.0)
        elif judgement.verdict != Verdict.NORMAL:
            self.get_logger().info(f"{judgement.verdict.name}: {judgement.reason}")
        watch = self._comparator.judge.watch
        if watch is not None and judgement.watched is not None and judgement.watched.changed:
            self._changed_ns = self._now_ns
            self.get_logger().warning(
                f"touches have become odder than they were, over the last {watch.alarm.found_over} of them"
            )
        if comparison.contact is not None:
            self._unpredicted = 0 if comparison.prediction_id else self._unpredicted + 1
            if self._collection is not None:
                self._collect(self._collection, judgement)

    def _draw(self, comparison: Comparison) -> None:
        """Publish a picture of a verdict, if somebody looks and there is something to be seen."""
        judgement, contact = comparison.judgement, comparison.contact
        if judgement.touch is None or contact is None or not self._picture.get_subscription_count():
            return
        kind = judgement.verdict.name.lower()
        title = f"{judgement.verdict.name}: {contact.kind} on {contact.material or 'unknown material'}"
        if np.isfinite(judgement.p_value):
            title += f", p {judgement.p_value:.3f}"
        differs = judgement.difference if judgement.verdict != Verdict.NORMAL else None
        pixels = touch_picture(picture(judgement.touch), kind, title, differs)
        message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding="rgb8", step=3 * pixels.shape[1])
        message.header.stamp, message.header.frame_id = stamp_from_ns(comparison.stamp_ns), self._frame_id
        message.data = array("B", pixels.tobytes())
        self._picture.publish(message)

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
            self._collection = CalibrationCollection(int(request.touches), self.p.alpha, request.name)
        except ValueError as error:
            response.message = str(error)
            return response
        response.accepted, response.message = True, f"the next {request.touches} touches that are heard count as normal"
        return response

    def _collect(self, collection: CalibrationCollection, judgement: Judgement) -> None:
        if not collection.add(judgement):
            self.get_logger().warning(f"{collection}, left one out: {judgement.reason}")
        if not collection.is_complete:
            return
        self._collection = None
        judge = self._comparator.judge
        try:
            calibration = collection.calibration(judge.scorer, judge.ego_noise, judge.segment_s)
            judge.arm(calibration)  # it holds even if it cannot be saved
            self._tell_calibration()
            done = collection.save(calibration, Path(self.p.calibration_folder).expanduser())
        except (OSError, ValueError) as error:
            self._last_error = f"calibrate: {error}"
            self.get_logger().error(self._last_error)
            return
        self.get_logger().info(done)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(SoundComparator, args)


if __name__ == "__main__":
    main()
