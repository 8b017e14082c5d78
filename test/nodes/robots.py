"""A robot in real time: a hand that taps the table once a second, and a microphone that hears every tap."""

from __future__ import annotations

import threading
import time

import numpy as np
from hearing_hands_ros.msg import Audio
from scipy.signal import lfilter
from touches import NS, RATE_HZ, recorded, sound, stamp_to_ns
from worlds import TfHand

BLOCK_S = 0.02
TOUCH_S = 0.5  # in each second, `tap_height` comes down
NOISE = 6.3e-4  # RMS, as in the calibration with the demo's bank


class Robot:
    """Publishes TF and the sound of each tap, until it is stopped.

    `hear` may be cleared to fall silent, and `hand` be changed as a `TfHand` may.
    """

    def __init__(self, ros, topic: str = "audio") -> None:
        self.wave, self._lead_s = recorded("stone", 2)  # one that does not clip
        self.hear = True
        self.hand = TfHand(ros)
        self._audio = ros.talk(Audio, topic)
        noise = lfilter([0.3], [1.0, -0.7], np.random.default_rng(7).normal(size=10 * RATE_HZ))  # dull, as in rooms
        self._noise = (NOISE / noise.std() * noise).astype(np.float32)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5.0)
        self.hand.stop()

    def block(self, first_ns: int):
        """What is heard in a block that begins at a time."""
        length = round(BLOCK_S * RATE_HZ)
        samples = self._noise[(np.arange(length) + first_ns * RATE_HZ // NS) % len(self._noise)]
        second = first_ns // NS
        for tap in (second - 1, second, second + 1):
            at = round((tap + TOUCH_S - self._lead_s - first_ns / NS) * RATE_HZ)
            low, high = max(at, 0), min(at + len(self.wave), length)
            if low < high:
                samples[low:high] += self.wave[low - at : high - at]
        return sound(first_ns, samples)

    def _run(self) -> None:
        first_ns, blocks = time.time_ns(), 0
        while not self._stopping.wait(BLOCK_S / 2):
            while (stamp_ns := first_ns + round(blocks * BLOCK_S * NS)) + BLOCK_S * NS <= time.time_ns():
                if self.hear:
                    message = self.block(stamp_ns)
                    message.first_sample = blocks * round(BLOCK_S * RATE_HZ)
                    self._audio.publish(message)
                blocks += 1


def began_after(comparison, moment_ns: int) -> bool:
    """Whether a verdict is on a touch that began after a moment."""
    return comparison.contact_id > 0 and stamp_to_ns(comparison.header.stamp) > moment_ns
