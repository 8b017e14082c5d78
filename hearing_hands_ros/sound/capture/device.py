"""A microphone of this machine, through PortAudio in a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.clock_map import ClockMap
from hearing_hands_ros.sound.capture.portaudio_process import RECORD

OPENING_S = 10.0
SILENT_AFTER_S = 1.0
STANDS_AFTER_S = 0.5  # simulated time may come in ticks
SLOWEST = 0.01  # of simulated time; slower, it stands
OLDEST_S = 10.0  # sound that waited for longer has no time that could be believed
PIPE_BYTES = 1 << 20  # 2.7 s of 48 kHz stereo for a reader that is held up


class DeviceSource:
    """Reads an input device; stamps are the driver's capture times, mapped to the node's clock.

    Two maps in a row. The first is from the device's own clock, which is its count of samples, to the system's
    monotonic time: PortAudio says how long ago a block's first sample was captured, in its own thread, which may be
    held up. The second is from monotonic time to the node's, read together here. How long a block waited in between
    does not matter. Frames that the driver lost are found from the first map and counted too, so a gap in
    `first_frame` is lost sound.

    Args:
        device: Part of its name, its index, or empty for the default input.
        sample_rate_hz: Rate wanted of it; 0 takes the device's own.
        channels: Channels wanted of it; 0 takes all it has.
        block_s: Length of a block, s.
        clock: The node's time, ns.
        simulated: It is simulated time, which may tick coarsely, stand, and run at any speed.
    """

    def __init__(
        self,
        device: str,
        sample_rate_hz: int,
        channels: int,
        block_s: float,
        clock: Callable[[], int],
        *,
        simulated: bool = False,
    ) -> None:
        self.trouble = ""
        self.ended = False
        self.stamps = "capture time of the driver"
        self._device, self._clock = device, clock
        self._wanted = {
            "device": device,
            "sample_rate_hz": sample_rate_hz,
            "channels": channels,
            "block_s": block_s,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._bytes = bytearray()
        self._device_time = ClockMap()
        self.clock: ClockMap | None = self._device_time
        # The node's clock is read right after the system's, so a step of it is told from lateness almost at once.
        self._node_time = (
            ClockMap(window_s=10.0, step_s=0.1, confirm_s=0.5)
            if simulated
            else ClockMap(window_s=5.0, step_s=0.002, confirm_s=0.05, jump_s=0.002)
        )
        self._rate, self._channels, self._latency_s = 0, 0, 0.0
        self._heard_s = 0.0
        self._frames = 0  # captured since it was opened, those that were lost too
        self._overrun = False  # not yet told
        self._moved = 0, 0.0  # the node's last new time, ns, and when it was read, s

    def open(self) -> None:  # noqa: D102  (as in Source)
        self.close()
        # A new process also makes PortAudio look for devices anew; one that runs never sees a device plugged in later.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hearing_hands_ros.sound.capture.portaudio_process", json.dumps(self._wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # ALSA and PortAudio print there without end when a device is pulled out
            start_new_session=True,  # Ctrl-C is for the node, which ends this
        )
        assert self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(OSError, AttributeError):  # Linux, Python 3.10 or later, and a limit not yet reached
            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._process.stdout.fileno(), False)
        answer = self._first_line()
        if "error" in answer:
            self.close()
            raise OSError(f"microphone: {answer['error']}")
        self._rate, self._channels = int(answer["rate"]), int(answer["channels"])
        self._latency_s = float(answer["latency_s"])
        self._device_time.reset()
        self._node_time.reset()
        self._heard_s = time.monotonic()
        self._frames, self._overrun, self._moved = 0, False, (0, self._heard_s)
        self.trouble = ""

    def read(self, now_ns: int) -> list[Block]:  # noqa: D102
        del now_ns  # read once more below, beside the monotonic time
        if self._process is None:
            return []
        ended = self._receive()
        now_s, now_ns = time.monotonic(), self._clock()
        if now_ns:
            self._node_time.update(now_s, now_ns)
        if now_ns != self._moved[0]:
            self._moved = now_ns, now_s
        speed = self._node_time.speed
        stands = not now_ns or now_s - self._moved[1] > STANDS_AFTER_S or speed < SLOWEST
        self.trouble = self._clock_trouble(speed, stands=stands)
        blocks = []
        while len(self._bytes) >= RECORD.size:
            read_s, driver_s, captured_s, lost, size = RECORD.unpack_from(self._bytes)
            if len(self._bytes) < RECORD.size + size:
                break
            data = np.frombuffer(bytes(self._bytes[RECORD.size : RECORD.size + size]), np.float32)
            del self._bytes[: RECORD.size + size]
            self._heard_s = now_s
            self._overrun |= bool(lost)
            frames = data.size // self._channels
            if not frames:
                continue
            capture_s = self._capture_s(read_s, driver_s, captured_s, frames, lost=bool(lost))
            first, self._frames = self._frames, self._frames + frames
            if not stands:  # else there is no time that this sound was heard at
                stamp_ns = self._node_time.to_ns(capture_s)
                blocks.append(
                    Block(data, self._rate, self._channels, stamp_ns, first, overrun=self._overrun, speed=speed)
                )
                self._overrun = False
        if not blocks and (ended or now_s - self._heard_s > SILENT_AFTER_S):
            raise OSError(f"microphone: device '{self._device}' delivers no sound any more; was it unplugged?")
        return blocks

    def close(self) -> None:  # noqa: D102
        process, self._process = self._process, None
        self._bytes.clear()
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        # A driver may hold even a killed process for a while.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)

    def _receive(self) -> bool:
        """Take what the process has written; return whether it has ended."""
        assert self._process is not None and self._process.stdout is not None  # noqa: S101
        while True:
            try:
                chunk = os.read(self._process.stdout.fileno(), PIPE_BYTES)
            except BlockingIOError:
                return False
            if not chunk:
                return True
            self._bytes += chunk

    def _first_line(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101
        until_s = time.monotonic() + OPENING_S
        ended = False
        while b"\n" not in self._bytes and not ended and time.monotonic() < until_s:
            select.select([self._process.stdout], [], [], 0.2)
            ended = self._receive()
        line, newline, rest = self._bytes.partition(b"\n")
        if not newline:
            why = "its process ended" if ended else f"no answer within {OPENING_S:g} s"
            return {"error": f"device '{self._device}' could not be opened: {why}"}
        self._bytes = bytearray(rest)
        return dict(json.loads(line))

    def _capture_s(self, read_s: float, driver_s: float, captured_s: float, frames: int, *, lost: bool) -> float:
        """Return the first sample's monotonic time, s; frames that were lost before it are counted."""
        age_s = driver_s - captured_s
        if captured_s <= 0 or not 0 <= age_s < OLDEST_S:  # a backend that does not know
            age_s = self._latency_s + frames / self._rate
        reading_ns = round((read_s - age_s) * 1e9)
        if lost and self._frames:
            late_ns = reading_ns - self._device_time.to_ns(self._frames / self._rate)
            self._lose(late_ns * 1e-9)
        stepped_s = self._device_time.update(self._frames / self._rate, reading_ns)
        if stepped_s > self._device_time.step_s:  # lost without a word of the driver
            self._lose(stepped_s)
            self._device_time.update(self._frames / self._rate, reading_ns)
        return self._device_time.to_ns(self._frames / self._rate) * 1e-9

    def _lose(self, seconds: float) -> None:
        """Count sound that never came; the device's clock goes on from here at the rate known."""
        self._frames += max(0, round(seconds * self._rate))
        self._device_time.begin_anew()

    def _clock_trouble(self, speed: float, *, stands: bool) -> str:
        if stands:
            return "the clock stands still (use_sim_time without /clock, or paused?)"
        if speed != 1.0:
            return f"simulated time runs at {speed:.2g} times the speed of sound that is heard now"
        return ""
