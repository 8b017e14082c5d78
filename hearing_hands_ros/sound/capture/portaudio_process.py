"""The process that holds the input device: `python -m hearing_hands_ros.sound.capture.portaudio_process '{...}'`.

It is a process of its own because PortAudio may spin for ever, and never return from closing, when its device is
pulled out; a process can be killed. It needs neither NumPy nor ROS. Its argument is JSON with `device`,
`sample_rate_hz`, `channels` and `block_s`. It writes one line of JSON, {"rate": ..., "channels": ..., "latency_s": ...}
or {"error": ...}, then for each block a `RECORD` and its interleaved float32 samples. It ends when its standard input
does.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

# Monotonic time, PortAudio's time and the first sample's time in PortAudio's time, all s; 1 if sound was lost; bytes.
RECORD = struct.Struct("=dddII")


class Joiner:
    """Joins the driver's buffers to blocks; a block never goes on over lost sound.

    Args:
        frames: From how many frames on a block is written.
        write: Takes its record and samples.
    """

    def __init__(self, frames: int, write: Callable[[bytes], None]) -> None:
        self._frames, self._write = frames, write
        self._head: tuple[float, float, float, int] = (0.0, 0.0, 0.0, 0)
        self._parts: list[bytes] = []
        self._joined = 0

    def heard(self, data: Any, frames: int, when: Any, status: Any) -> None:
        """Take a buffer, as PortAudio's callback."""
        lost = int(bool(status.input_overflow))
        if lost:
            self._flush()
        if not self._parts:
            self._head = time.monotonic(), when.currentTime, when.inputBufferAdcTime, lost
        self._parts.append(bytes(data))
        self._joined += frames
        if self._joined >= self._frames:
            self._flush()

    def _flush(self) -> None:
        if self._parts:
            samples = b"".join(self._parts)
            self._write(RECORD.pack(*self._head, len(samples)) + samples)
        self._parts, self._joined = [], 0


def open_stream(wanted: dict[str, Any], write: Any) -> Any:
    """Open and start the stream; blocks go to `write`.

    Raises:
        OSError: Something is missing; says what, and how to get it.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise OSError(
            "source 'device' wants the Python package sounddevice, found none: "
            "sudo apt install python3-sounddevice, or pip install sounddevice"
        ) from error
    except OSError as error:
        raise OSError(
            "source 'device' wants the PortAudio library, found none: sudo apt install libportaudio2"
        ) from error

    device = str(wanted["device"])
    try:
        name: str | int | None = int(device) if device.isdecimal() else (device or None)
        found = sounddevice.query_devices(name, "input")
        rate = int(wanted["sample_rate_hz"]) or round(found["default_samplerate"])
        channels = int(wanted["channels"]) or int(found["max_input_channels"])
        return sounddevice.RawInputStream(
            device=found["index"],
            samplerate=rate,
            channels=channels,
            dtype="float32",
            blocksize=0,  # the driver's own: PortAudio forgets an overrun in two of three buffers that it cuts anew
            latency="high",  # late sound has the right stamp, lost sound is lost
            callback=Joiner(max(1, round(float(wanted["block_s"]) * rate)), write).heard,
        )
    except (ValueError, sounddevice.PortAudioError) as error:
        inputs = [f"{d['index']} '{d['name']}'" for d in sounddevice.query_devices() if d["max_input_channels"] > 0]
        raise OSError(
            f"parameter 'device' wants an input device, got '{device}': {error.args[0] if error.args else error}. "
            f"Inputs here: {', '.join(inputs) or 'none'}. Is it plugged in, and may this user record (group 'audio')?"
        ) from error


def main() -> None:
    """Run until standard input ends."""
    output = sys.stdout.fileno()

    def write(data: bytes) -> None:
        try:
            while data:  # blocks while the reader is behind; PortAudio then reports the overrun
                data = data[os.write(output, data) :]
        except OSError:  # the reader is gone
            os._exit(0)

    try:
        stream = open_stream(json.loads(sys.argv[1]), write)
        answer = {"rate": round(stream.samplerate), "channels": stream.channels, "latency_s": float(stream.latency)}
        write(json.dumps(answer).encode() + b"\n")
        stream.start()
    except Exception as error:  # noqa: BLE001  (whatever it is, the node must hear of it)
        write(json.dumps({"error": str(error)}).encode() + b"\n")
        os._exit(1)
    sys.stdin.buffer.read()
    os._exit(0)  # never through PortAudio's own end, which may hang


if __name__ == "__main__":
    main()
