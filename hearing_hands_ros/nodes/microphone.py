"""Publishes what is heard, from a device, a file or any audio topic, as gapless stamped blocks on `heard/audio`."""

from __future__ import annotations

import array
import time
from dataclasses import asdict, dataclass
from typing import Any

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import Audio
from hearing_hands_ros.nodes.audio_subscription import DEPTH, AudioSubscription, quality
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.sound.capture.block import Block, Source
from hearing_hands_ros.sound.capture.device import DeviceSource
from hearing_hands_ros.sound.capture.families import TYPES
from hearing_hands_ros.sound.capture.monitor import Health, Level, Limits, StreamMonitor
from hearing_hands_ros.sound.capture.sound_file import FileSource

LEVELS = {Level.OK: OK, Level.WARN: WARN, Level.ERROR: ERROR}
WATCH_S = 0.25
SAME_LINE_S = 10.0


@dataclass(frozen=True)
class MicrophoneParameters(CommonParameters):
    """Parameters of `microphone`."""

    source: str = parameter("device", "Where sound comes from.", choices=("device", "file", "topic"))
    device: str = parameter(
        "", "Source 'device': part of the input device's name, or its index; empty: the default input."
    )
    file: str = parameter("", "Source 'file': path of a sound file, played in real time of the node's clock.")
    loop: bool = parameter(False, "Source 'file': start again at the end of the file.")
    topic: str = parameter("audio", "Source 'topic': name of the audio topic.")
    topic_type: str = parameter(
        "auto", "Source 'topic': its message type; 'auto' takes what is published.", choices=("auto", *TYPES)
    )
    info_topic: str = parameter(
        "", "Source 'topic': where AudioInfo comes; empty: 'audio_info' beside the audio topic."
    )
    sample_rate_hz: int = parameter(
        0, "Rate wanted of a device (0: its own), or of raw bytes without AudioInfo, Hz.", low=0, high=384_000
    )
    channels: int = parameter(
        1, "Channels wanted of a device (0: all it has), or of raw bytes without AudioInfo.", low=0, high=256
    )
    block_s: float = parameter(0.02, "Length of a published block of a device or file, s.", low=0.002, high=0.5)
    frame_id: str = parameter("microphone", "Coordinate frame of the microphone, where a message does not name one.")
    gap_tolerance_s: float = parameter(
        0.01,
        "Jitter of stamps, s; what is missing beyond it is a gap, filled with marked silence.",
        low=0.0001,
        high=0.5,
    )
    clip_level: float = parameter(
        0.999, "Magnitude from which a sample counts as clipped; full scale is 1.", low=0.01, high=1.0
    )
    silence_dbfs: float = parameter(-90.0, "RMS below which sound is silence, dB of full scale.", low=-200.0, high=0.0)
    silence_after_s: float = parameter(10.0, "Silence longer than this is reported, s.", low=0.1, high=86400.0)
    clock_tolerance_s: float = parameter(
        1.0, "Stamps farther than this ahead of or behind the node's clock are reported, s.", low=0.01, high=3600.0
    )
    warn_hold_s: float = parameter(5.0, "A passing fault is shown for this long, s.", low=0.1, high=3600.0)


class Microphone(ManagedNode):
    """The node."""

    parameters_class = MicrophoneParameters

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("microphone", **kwargs)
        self._audio = self.create_lifecycle_publisher(Audio, "heard/audio", quality(DEPTH))
        self._timers_: list[Any] = []
        self._logged: dict[tuple[str, ...], float] = {}
        self._faults: tuple[str, ...] = ("waiting",)
        self._reopen_at_s: float | None = None
        self._lost = False
        self._rivals = ""

    # Lifecycle.

    def configure(self) -> None:  # noqa: D102
        self._wanted: MicrophoneParameters = read_parameters(self, MicrophoneParameters)
        self._source = self._make_source(self._wanted)

    def activate(self) -> None:  # noqa: D102
        wanted = self._wanted
        self._monitor = StreamMonitor(
            Limits(
                wanted.gap_tolerance_s,
                wanted.clip_level,
                wanted.silence_dbfs,
                wanted.silence_after_s,
                wanted.clock_tolerance_s,
                wanted.warn_hold_s,
            ),
            time.monotonic(),
        )
        self._faults, self._reopen_at_s, self._lost = ("waiting",), None, False
        self._source.open()
        self._timers_ = [
            # A topic's callback calls `_listen` itself.
            self.create_timer(1.0 if wanted.source == "topic" else wanted.block_s, self._listen, clock=self._steady),
            self.create_timer(WATCH_S, self._watch, clock=self._steady),
        ]

    def deactivate(self) -> None:  # noqa: D102
        for timer in self._timers_:
            self.destroy_timer(timer)
        self._timers_ = []
        self._source.close()

    def cleanup(self) -> None:  # noqa: D102
        self._source.close()

    # Callbacks.

    def _listen(self) -> None:
        """Publish what the source has heard."""
        if self._reopen_at_s is not None:
            return
        now_ns = self.get_clock().now().nanoseconds
        try:
            blocks = self._source.read(now_ns)
        except Exception as error:  # noqa: BLE001  (a driver or a file may fail in any way; it is opened anew)
            self._lose(str(error) if isinstance(error, OSError) else f"microphone: {type(error).__name__}: {error}")
            return
        if blocks and self._lost:
            self._lost = False
            self._monitor.reopened(time.monotonic())
        now_s = time.monotonic()
        for block in blocks:
            for ready in self._monitor.hear(block, now_ns, now_s):
                self._publish(ready)

    def _watch(self) -> None:
        """Try a lost source again, and log changes of state."""
        now_s = time.monotonic()
        if self._reopen_at_s is not None and now_s >= self._reopen_at_s:
            try:
                self._source.open()
            except (OSError, ValueError) as error:
                self._lose(str(error))
            else:
                self._reopen_at_s = None
        self._rivals = ""
        if self.count_publishers("heard/audio") > 1:
            ends = self.get_publishers_info_by_topic(self.resolve_topic_name("heard/audio"))
            names = ", ".join(f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in ends)
            self._rivals = f"'{self.resolve_topic_name('heard/audio')}' has {len(ends)} publishers, wanted one: {names}"
        self._log(self._health(), now_s)

    def _lose(self, reason: str) -> None:
        self._lost = True
        self._source.close()
        self._source.trouble = f"{reason} (trying again every {self._wanted.retry_s:g} s)"
        self._reopen_at_s = time.monotonic() + self._wanted.retry_s

    def _refuse(self, reason: str) -> None:
        self._monitor.refuse(reason, time.monotonic())

    # Out.

    def _publish(self, block: Block) -> None:
        assert block.stamp_ns is not None and block.first_frame is not None  # noqa: S101
        message = Audio()  # type: ignore[no-untyped-call]
        message.sample_rate_hz, message.channels = block.sample_rate_hz, block.channels
        message.first_sample = block.first_frame
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(block.stamp_ns, NANOSECONDS)
        message.header.frame_id = block.frame_id or self._wanted.frame_id
        message.data = array.array("f", block.data.tobytes())
        if block.lost is not None:
            message.lost = block.lost.tolist()
        self._audio.publish(message)

    def status(self, status: Any) -> tuple[bytes, str]:  # noqa: D102
        monitor = self._monitor
        status.add("source", self._wanted.source)
        status.add("stamps", self._source.stamps)
        status.add("sample_rate_hz", monitor.sample_rate_hz)
        status.add("channels", monitor.channels)
        status.add("peak_dbfs", f"{monitor.peak_dbfs:.1f}")
        status.add("rms_dbfs", f"{monitor.rms_dbfs:.1f}")
        clock = monitor.clock
        status.add("clock_offset_s", f"{clock.offset_s:.6f}")
        status.add("clock_drift_ppm", f"{clock.drift_ppm:.1f}")
        status.add("stamp_jitter_p95_s", f"{(self._source.clock or clock).lateness_s(0.95):.6f}")
        for name, count in asdict(monitor.counts).items():
            status.add(name, count)
        health = self._health()
        return LEVELS[health.level], health.text

    def _health(self) -> Health:
        return self._monitor.health(time.monotonic(), self._source.trouble or self._rivals, ended=self._source.ended)

    def _log(self, health: Health, now_s: float) -> None:
        """One line at each change of state; the same state not again within `SAME_LINE_S`."""
        if health.faults == self._faults:
            return
        self._faults = health.faults
        if now_s - self._logged.get(health.faults, -SAME_LINE_S) < SAME_LINE_S:
            return
        self._logged[health.faults] = now_s
        # A line for each: rclpy allows one severity a line of code.
        if health.level == Level.OK:
            self.get_logger().info(health.text)
        elif health.level == Level.WARN:
            self.get_logger().warning(health.text)
        else:
            self.get_logger().error(health.text)

    def _make_source(self, wanted: MicrophoneParameters) -> Source:
        if wanted.source == "file":
            if not wanted.file:
                raise ValueError("microphone: source 'file' wants parameter 'file', got an empty path")
            return FileSource(wanted.file, wanted.block_s, loop=wanted.loop)
        if wanted.source == "topic":
            if self.resolve_topic_name(wanted.topic) == self.resolve_topic_name("heard/audio"):
                raise ValueError(f"microphone: parameter 'topic' wants a topic of others, got its own '{wanted.topic}'")
            return AudioSubscription(
                self,
                wanted.topic,
                wanted.topic_type,
                wanted.info_topic,
                wanted.sample_rate_hz,
                wanted.channels,
                self._steady,
                self._listen,
                self._refuse,
            )
        return DeviceSource(
            wanted.device,
            wanted.sample_rate_hz,
            wanted.channels,
            wanted.block_s,
            lambda: int(self.get_clock().now().nanoseconds),
            simulated=bool(self.get_parameter("use_sim_time").value),
        )


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(Microphone, args)


if __name__ == "__main__":
    main()
