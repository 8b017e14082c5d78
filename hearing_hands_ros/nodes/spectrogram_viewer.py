"""Node that shows the last seconds of predicted over heard sound as a live picture, while somebody looks."""

from __future__ import annotations

import array
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import Image

from hearing_hands_ros.msg import Audio, SoundComparison, SoundPrediction
from hearing_hands_ros.ros.diagnostics import OK
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.picture import HIGH, LOW, Mark, MelTrack, SoundTrack, SpectrogramPicture

KINDS = {
    SoundComparison.UNKNOWN: "unknown",
    SoundComparison.NORMAL: "normal",
    SoundComparison.UNEXPECTED: "unexpected",
    SoundComparison.MISSING: "missing",
    SoundComparison.DIFFERENT: "different",
}
SOUND_DEPTH, RESULT_DEPTH = 50, 20


@dataclass(frozen=True)
class SpectrogramViewerParameters(CommonParameters):
    """Parameters of `spectrogram_viewer`."""

    rate_hz: float = parameter(5.0, "Pictures per second.", low=0.2, high=30.0)
    span_s: float = parameter(4.0, "Length of the time axis, s.", low=1.0, high=30.0)
    low: float = parameter(LOW, "Level that is shown black, log10 magnitude.", low=-5.0, high=0.0)
    high: float = parameter(HIGH, "Level that is shown brightest, log10 magnitude.", low=0.1, high=5.0)


class SpectrogramViewer(ManagedNode):
    """The node. It subscribes only while its picture has subscribers, so it costs nothing unseen."""

    parameters_class = SpectrogramViewerParameters

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("spectrogram_viewer", **kwargs)
        self._image = self.create_lifecycle_publisher(Image, "spectrogram/image", 2)
        self._timer: Any = None
        self._listening: list[Any] = []
        self._drawn, self._took_s = 0, 0.0

    # Lifecycle.

    def configure(self) -> None:  # noqa: D102
        wanted = read_parameters(self, SpectrogramViewerParameters)
        self._wanted, self._config = wanted, SequenceConfig()
        frames = self._config.mel_frames(wanted.span_s)
        self._span_s = frames * self._config.hop_s
        self._picture = SpectrogramPicture(
            frames, self._config, axis_start_s=-self._span_s, low=wanted.low, high=wanted.high
        )
        self._predicted = MelTrack(self._config, self._span_s)
        self._heard = SoundTrack(self._config, self._span_s)
        self._marks: deque[Mark] = deque(maxlen=200)
        self._frame_id = ""

    def activate(self) -> None:  # noqa: D102
        self._timer = self.create_timer(1.0 / self._wanted.rate_hz, self._show, clock=self._steady)

    def deactivate(self) -> None:  # noqa: D102
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        self._ignore()

    def status(self, status: Any) -> tuple[bytes, str]:  # noqa: D102
        status.add("pictures", self._drawn)
        status.add("picture_ms", f"{1e3 * self._took_s:.1f}")
        return OK, "drawing" if self._listening else "nobody looks at spectrogram/image"

    # Callbacks.

    def _show(self) -> None:
        if not self._image.get_subscription_count():
            self._ignore()
            return
        if not self._listening:
            self._listen()
        begin_s = time.perf_counter()
        end_s = self._end_s()
        pixels = self._picture.draw(
            self._predicted.window(end_s),
            self._heard.window(end_s),
            list(self._marks),
            end_s - self._span_s,
            f"to {end_s:.1f} s" if end_s else "no sound yet",
        )
        message = Image()
        message.header.stamp = Time(nanoseconds=round(1e9 * end_s)).to_msg()
        message.header.frame_id = self._frame_id
        message.height, message.width = pixels.shape[:2]
        message.encoding, message.step = "rgb8", 3 * message.width
        message.data = array.array("B", pixels.tobytes())
        self._image.publish(message)
        self._drawn += 1
        self._took_s = time.perf_counter() - begin_s

    def _end_s(self) -> float:
        """Right edge: the newest sound heard, or the newest prediction where nothing is heard (any more)."""
        heard_s, predicted_s = self._heard.end_s, self._predicted.end_s
        end_s = heard_s if predicted_s - heard_s < self._span_s else predicted_s
        return max(float(end_s), 0.0) if np.isfinite(end_s) else 0.0

    def _listen(self) -> None:
        # Best effort fits every publisher; a picture can do without a lost block.
        sound = QoSProfile(depth=SOUND_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._listening = [
            self.create_subscription(Audio, "heard/audio", self._on_heard, sound),
            self.create_subscription(SoundPrediction, "predicted", self._on_predicted, RESULT_DEPTH),
            self.create_subscription(SoundComparison, "comparison", self._on_comparison, RESULT_DEPTH),
        ]

    def _ignore(self) -> None:
        for subscription in self._listening:
            self.destroy_subscription(subscription)
        if self._listening:
            self._predicted.clear()
            self._heard.clear()
            self._marks.clear()
        self._listening = []

    def _on_heard(self, message: Any) -> None:
        frames, rest = divmod(len(message.data), message.channels or 1)
        if not frames or rest or not message.sample_rate_hz or len(message.lost) not in (0, frames):
            self.get_logger().warning(
                f"heard/audio: wanted whole frames at a known rate, got {len(message.data)} samples of "
                f"{message.channels} channels at {message.sample_rate_hz} Hz, {len(message.lost)} marks",
                throttle_duration_sec=10.0,
            )
            return
        self._frame_id = message.header.frame_id
        wave = np.asarray(message.data, dtype=np.float32).reshape(frames, -1).mean(axis=1, dtype=np.float32)
        lost = np.asarray(message.lost, dtype=np.bool_) if len(message.lost) else None
        start_s = _seconds(message.header.stamp)
        if start_s < self._heard.end_s - 2 * self._span_s:  # time went back: a recording began anew
            self._predicted.clear()
            self._marks.clear()
        self._heard.put(start_s, int(message.sample_rate_hz), wave, lost)

    def _on_predicted(self, message: Any) -> None:
        mel = message.spectrogram
        if not mel.frames or mel.bins != self._config.bins or len(mel.data) != mel.bins * mel.frames:
            self.get_logger().warning(
                f"predicted: spectrogram wanted {self._config.bins} bins, got {mel.bins} x {mel.frames} of "
                f"{len(mel.data)} values",
                throttle_duration_sec=10.0,
            )
            return
        values = np.asarray(mel.data, dtype=np.float32).reshape(mel.bins, mel.frames)
        hop_s = mel.hop / mel.sample_rate_hz if mel.hop and mel.sample_rate_hz > 0 else self._config.hop_s
        self._predicted.put(_seconds(message.header.stamp), hop_s, values)

    def _on_comparison(self, message: Any) -> None:
        kind = KINDS.get(message.verdict, "unknown")
        label = kind
        if kind == "different" and message.nearest_material not in ("", message.expected_material):
            label = f"{message.expected_material or '?'} heard as {message.nearest_material}"
        elif message.expected_material:
            label = f"{kind} ({message.expected_material})"
        self._marks.append(Mark(_seconds(message.header.stamp), kind, label))


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(SpectrogramViewer, args)


if __name__ == "__main__":
    main()
