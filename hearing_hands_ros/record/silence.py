"""Whether a microphone hears anything at all, from a message now and then."""

from __future__ import annotations

from typing import Any

import numpy as np

from hearing_hands_ros.sound.capture.families import DECODERS, DESCRIBED, bytes_of

SILENT_S = 3.0


class Silence:
    """Looks for sound that is one constant: a cable, a driver or a mute switch, not a quiet room.

    Bytes that want an AudioInfo are looked at as bytes, which shows zeros as well.

    Args:
        type_name: Of the messages.
    """

    def __init__(self, type_name: str) -> None:
        self._type = type_name
        self._since_s: float | None = None
        self._refused = ""

    def take(self, message: Any, now_s: float) -> None:
        """Look at a message."""
        try:
            is_flat, self._refused = self._is_flat(message), ""
        except ValueError as error:
            is_flat, self._refused = False, str(error)
        if not is_flat:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s

    def trouble(self, now_s: float) -> str:
        """What is wrong; empty if nothing is."""
        if self._refused:
            return f"is no sound: {self._refused}"
        if self._since_s is not None and now_s - self._since_s >= SILENT_S:
            return f"is silent: no change of the signal for {now_s - self._since_s:.0f} s; muted, or not plugged in?"
        return ""

    def _is_flat(self, message: Any) -> bool:
        if self._type in DESCRIBED:
            data = bytes_of(message.audio.data if hasattr(message, "audio") else message.data)
            return bool(data.size) and not np.ptp(data)
        block = DECODERS[self._type](message)
        wave = block.data.reshape(-1, block.channels)
        return bool(len(wave)) and not np.ptp(wave, axis=0).any()
