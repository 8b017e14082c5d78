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
PIPE_BYTES = 1 << 20  # 2.7 s of 48 kHz stereo for a reader that is held up


class DeviceSource:
    """Reads an input device; stamps are the driver's capture times, mapped to the node's clock.

    Two maps in a row: PortAudio's time to the system's monotonic time, read together in PortAudio's thread, and
    monotonic time to the node's, read together here. How long a block waited in between does not matter.

    Args:
        device: Part of its name, its index, or empty for the default input.
        sample_rate_hz: Rate wanted of it; 0 takes the device's own.
        channels: Channels wanted of it; 0 takes all it has.
        block_s: Length of a block, s.
        clock: The node's time, ns.
    """

    def __init__(
        self, device: str, sample_rate_hz: int, channels: int, block_s: float, clock: Callable[[], int]
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
        # The node's clock is read right after the system's, so it can follow a clock that was set at once.
        self._driver_time, self._node_time = ClockMap(), ClockMap(window_s=0.5)
        self._rate, self._channels, self._latency_s = 0, 0, 0.0
        self._heard_s = 0.0

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
        self._driver_time.reset()
        self._node_time.reset()
        self._heard_s = time.monotonic()
        self.trouble = ""

    def read(self, now_ns: int) -> list[Block]:  # noqa: D102
        del now_ns  # read once more below, beside the monotonic time
        if self._process is None:
            return []
        ended = self._receive()
        now_s, now_ns = time.monotonic(), self._clock()
        if now_ns:
            self._node_time.update(now_s, now_ns)
        blocks = []
        while len(self._bytes) >= RECORD.size:
            read_s, driver_s, captured_s, lost, size = RECORD.unpack_from(self._bytes)
            if len(self._bytes) < RECORD.size + size:
                break
            data = np.frombuffer(bytes(self._bytes[RECORD.size : RECORD.size + size]), np.float32)
            del self._bytes[: RECORD.size + size]
            self._heard_s = now_s
            if now_ns and size:  # simulated time has started
                stamp_ns = self._stamp_ns(read_s, driver_s, captured_s, data.size // self._channels)
                blocks.append(Block(data, self._rate, self._channels, stamp_ns, overrun=bool(lost)))
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

    def _stamp_ns(self, read_s: float, driver_s: float, captured_s: float, frames: int) -> int:
        """Return the first sample's time on the node's clock."""
        if driver_s <= 0:  # a backend without time: the system's, and no capture time either
            driver_s, captured_s = read_s, 0.0
        if captured_s <= 0:
            captured_s = driver_s - self._latency_s - frames / self._rate
        self._driver_time.update(driver_s, round(read_s * 1e9))
        return self._node_time.to_ns(self._driver_time.to_ns(captured_s) * 1e-9)
