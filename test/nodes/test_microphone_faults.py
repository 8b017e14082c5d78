"""The microphone as a process: its stamps against a device that tells its own time, and faults that want a clock."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from test_microphone import MODULE, QUICK, assert_contiguous, stamp_ns

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
RATE, TONE_HZ = 16_000, 440.0
DEVICE = {"source": "device", "device": "testmic", "sample_rate_hz": RATE, "channels": 1, **QUICK}


def stamp_errors_s(messages: list[Any]) -> np.ndarray:
    """Stamps less the times that the virtual microphone's tone tells, s, but for whole periods of it (2.3 ms)."""
    monotonic_ns = time.time_ns() - time.monotonic_ns()
    errors_s = []
    for message in messages:
        wave = np.asarray(message.data, float)
        turned = np.exp(-2j * np.pi * TONE_HZ * np.arange(wave.size) / RATE)
        periods = np.angle(wave @ turned) / (2 * np.pi) + 0.25
        away = TONE_HZ * (stamp_ns(message) - monotonic_ns) * 1e-9 - periods
        errors_s.append(((away + 0.5) % 1.0 - 0.5) / TONE_HZ)
    return np.array(errors_s)


def child_of(pid: int) -> int:
    """The one process that a process has started."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def test_stamps_of_a_device_are_right_also_after_lost_sound_and_its_killed_process(
    ros_domain: Any, virtual_microphone: Any
) -> None:
    environment, control = virtual_microphone("stamps")
    control.write_text("-")
    heard, state = ros_domain.listen(Audio, "heard/audio"), ros_domain.diagnostics("microphone")
    node = ros_domain.start(MODULE, DEVICE, environment=environment)
    state.wait(OK)

    def stamps_are_right() -> None:
        heard.clear()
        messages = heard.wait_for(60)
        assert_contiguous(messages)
        assert np.quantile(np.abs(stamp_errors_s(messages)), 0.95) < 1e-3

    stamps_are_right()
    assert abs(float(state.values["clock_drift_ppm"])) < 500
    assert abs(float(state.values["clock_offset_s"]) - time.time()) < 60, "its time begins when it is opened"
    assert 0 <= float(state.values["stamp_jitter_p95_s"]) < 0.02

    control.write_text("x")
    state.wait_for_value("overruns", lambda count: count == 1)
    stamps_are_right()
    lost, gaps = float(state.values["lost_frames"]), float(state.values["gaps"])
    assert lost > 0

    control.write_text("s")  # it stalls, and says nothing of it
    time.sleep(0.06)
    control.write_text("-")
    state.wait_for_value("gaps", lambda count: count > gaps)
    stamps_are_right()
    assert 0.03 < (float(state.values["lost_frames"]) - lost) / RATE < 0.2
    assert state.values["overruns"] == "1"
    lost, restarts = float(state.values["lost_frames"]), float(state.values["restarts"])

    os.kill(child_of(node.process.pid), signal.SIGKILL)
    state.wait_for_value("restarts", lambda count: count > restarts)
    stamps_are_right()
    state.wait(OK, since=len(state.statuses))
    assert float(state.values["lost_frames"]) == lost


class SimulatedClock:
    """Publishes /clock every 10 ms of wall time; may stand, jump and race."""

    def __init__(self, domain: Any, now_s: float) -> None:
        self.now_s, self.speed = now_s, 1.0
        self._publisher = domain.talk(Clock, "/clock", 10)
        domain.wait_for_listener(self._publisher)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        before_s = time.monotonic()
        while not self._stop.wait(0.01):
            now_s = time.monotonic()
            self.now_s += self.speed * (now_s - before_s)
            before_s = now_s
            self._publisher.publish(Clock(clock=Time(nanoseconds=round(self.now_s * 1e9)).to_msg()))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def test_device_in_simulated_time_that_stands_jumps_and_races(ros_domain: Any, virtual_microphone: Any) -> None:
    environment, control = virtual_microphone("simulated")
    control.write_text("-")
    heard, state = ros_domain.listen(Audio, "heard/audio"), ros_domain.diagnostics("microphone")
    ros_domain.start(MODULE, {**DEVICE, "use_sim_time": True, "warn_hold_s": 0.3}, environment=environment)
    clock = SimulatedClock(ros_domain, 1000.0)

    def stamps_are_right() -> None:
        state.wait(OK, since=len(state.statuses))
        heard.clear()
        messages = heard.wait_for(30)
        assert_contiguous(messages)
        assert 0 < clock.now_s - stamp_ns(messages[-1]) * 1e-9 < 0.3

    try:
        stamps_are_right()
        clock.speed = 0.0
        state.wait(ERROR, "the clock stands still")
        clock.speed = 1.0
        stamps_are_right()
        for jump_s in (500.0, -700.0):
            clock.now_s += jump_s
            stamps_are_right()
        lost = state.values["lost_frames"]
        clock.speed = 10.0
        state.wait(WARN, "10 times the speed of sound that is heard")
        clock.speed = 1.0
        stamps_are_right()
        assert state.values["lost_frames"] == lost, "no sample was lost by any of this"
    finally:
        clock.stop()


def test_minute_of_silence_is_told_and_over(ros_domain: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    loud = rng.uniform(-0.1, 0.1, 4 * RATE)
    soundfile.write(
        tmp_path / "a.wav", np.concatenate([loud, rng.uniform(-1e-6, 1e-6, 60 * RATE), *[loud] * 20]), RATE, "FLOAT"
    )
    heard, state = ros_domain.listen(Audio, "heard/audio"), ros_domain.diagnostics("microphone")
    file = {"source": "file", "file": str(tmp_path / "a.wav"), "use_sim_time": True, **QUICK}
    ros_domain.start(MODULE, file)
    clock = SimulatedClock(ros_domain, 100.0)
    try:
        state.wait(OK)
        clock.speed = 20.0
        state.wait(WARN, "silence for over 10 s")
        heard.wait(lambda messages: stamp_ns(messages[-1]) - stamp_ns(messages[0]) > 65e9)
        clock.speed = 1.0
        state.wait(OK, since=len(state.statuses))
    finally:
        clock.stop()
    assert_contiguous(heard.messages)
    assert state.values["lost_frames"] == "0"
    assert float(state.values["clock_drift_ppm"]) == pytest.approx(0.0, abs=1.0)
