"""A microphone and a tracker in real time beside a real generator and a real comparator."""

import threading
import time

import numpy as np
import pytest
from armed import bank_calibration_file
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, SoundComparison
from ros_domain import wait_until
from rosgraph_msgs.msg import Clock
from touches import BANK, NS, RATE_HZ, recorded, sound, stamp_to_ns, touch, window

from hearing_hands_ros.ros.hand_messages import stamp_from_ns

OK = DiagnosticStatus.OK
UNKNOWN, NORMAL = SoundComparison.UNKNOWN, SoundComparison.NORMAL
MODULE = "hearing_hands_ros.nodes.sound_comparator"
BLOCK_S = 0.02


class SimulatedTime:
    """A /clock that goes on whenever it is read, and can jump and stand."""

    def __init__(self, ros):
        self._publisher = ros.talk(Clock, "/clock")
        self.offset_ns = 100 * NS - time.time_ns()
        self.stands_at_ns = None

    def __call__(self):
        if self.stands_at_ns is not None:
            return self.stands_at_ns
        now = time.time_ns() + self.offset_ns
        self._publisher.publish(Clock(clock=stamp_from_ns(now)))
        return now


class World:
    """A microphone and a tracker that run in real time beside a real generator and the comparator under test."""

    def __init__(self, ros, clock=None, ready=OK, **parameters):
        self.ros = ros
        self.time = {"use_sim_time": clock is not None}
        self.parameters = {
            "calibration": str(bank_calibration_file()),
            "alpha": 0.05,
            "retry_s": 0.3,
            **self.time,
            **parameters,
        }
        self.start_generator()
        self.start_comparator()
        self.audio, self.hands = ros.talk(Audio, "heard/audio"), ros.talk(HandTrajectory, "hands")
        self.comparison = ros.listen(SoundComparison, "comparison")
        self.diagnostics = ros.diagnostics("sound_comparator")
        self.clock = clock or time.time_ns
        self.rng = np.random.default_rng(5)
        self.sounds: list[tuple[int, np.ndarray]] = []  # (first sample's time, samples)
        self.events: list = []
        self.hear, self.track, self.spoil = True, True, lambda message: message
        self.window_s = 4.0
        self.number = 0
        recorded("wood")  # loads the recordings, which takes a while
        self._stopping = False
        wait_until(lambda: self.hands.get_subscription_count() == 2, 20.0, lambda: "generator and comparator")
        ros.wait_for_listener(self.audio, 20.0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.diagnostics.wait(ready, timeout_s=20.0)
        time.sleep(0.5)  # of room noise before the first touch

    def start_generator(self):
        self.generator = self.ros.start("hearing_hands_ros.nodes.sound_generator", {"model": str(BANK), **self.time})

    def start_comparator(self):
        self.comparator = self.ros.start(MODULE, self.parameters)

    def recovers(self):
        """Wait until diagnostics are OK again, and see that a touch is judged.

        A node that was just started may miss the first prediction while DDS still finds it; it must say UNKNOWN then.
        """
        self.diagnostics.wait(OK, timeout_s=20.0, since=len(self.diagnostics.statuses))
        for _ in range(3):
            message = self.verdict(self.touch("stone"))
            time.sleep(0.5)
            if message.verdict == NORMAL:
                return
            assert message.verdict == UNKNOWN, message.reason
        pytest.fail(f"three touches and none is judged: {message.reason}")

    def stop(self):
        self._stopping = True
        self._thread.join(5.0)

    def touch(self, material="stone", heard="same", index=0, later_s=0.0, seconds=0.08):
        """Touch now, as the tracker tells it when the touch has ended; return the touch's id."""
        self.number += 1
        stamp = self.clock() + NS // 5
        if heard:
            wave, lead_s = recorded(material if heard == "same" else heard, index)
            self.sounds.append((stamp + int((later_s - lead_s) * NS), wave))
        self.events.append(touch(stamp, self.number, material, seconds=seconds))
        return self.number

    def noise(self, material):
        """Make a sound that no touch explains; return its time."""
        stamp = self.clock() + NS // 5
        wave, lead_s = recorded(material)
        self.sounds.append((stamp - int(lead_s * NS), wave))
        return stamp

    def verdict(self, contact_id, timeout_s=10.0):
        """Wait for the verdict on one touch."""
        return self.comparison.wait(lambda all_: [m for m in all_ if m.contact_id == contact_id], timeout_s)[0]

    def _run(self):
        length = round(BLOCK_S * RATE_HZ)
        first = self.clock()
        block, told_ns = 0, 0
        while not self._stopping:
            now = self.clock()
            if now < first + block * BLOCK_S * NS - NS or now > first + block * BLOCK_S * NS + 5 * NS:
                first, block, told_ns = now, 0, 0  # the clock jumped
            while first + (block + 1) * BLOCK_S * NS <= now:
                stamp = first + round(block * BLOCK_S * NS)
                samples = self.rng.normal(0, 3e-4, length).astype(np.float32)
                for start, wave in self.sounds:
                    at = round((start - stamp) * RATE_HZ / NS)
                    low, high = max(at, 0), min(at + len(wave), length)
                    if low < high:
                        samples[low:high] += wave[low - at : high - at]
                if self.hear:
                    self.audio.publish(self.spoil(sound(stamp, samples)))
                block += 1
            begun = [e for e in self.events if now - self.window_s * NS < stamp_to_ns(e.header.stamp) < now]
            for event in begun:
                event.phase = ContactEvent.ENDED if stamp_to_ns(event.end) < now else ContactEvent.STARTED
            if self.track and now > told_ns + NS // 4:
                told_ns = now
                self.hands.publish(window(now, begun))
            time.sleep(0.01)
