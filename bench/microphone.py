"""Processor time of the microphone's core and of the node, at 48 kHz stereo in blocks of 20 ms.

    PYTHONPATH=. python bench/microphone.py

Prints medians of the core's steps in µs, and what share of a core the node's process takes while it plays a file and
while it hears a topic.
"""

from __future__ import annotations

import array
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
import soundfile
from hearing_hands_ros.msg import Audio
from rclpy.time import Time

from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.families import own
from hearing_hands_ros.sound.capture.monitor import Limits, StreamMonitor

RATE, CHANNELS, FRAMES = 48_000, 2, 960
NODE_S = 10.0


def median_us(step: Callable[[], object], times: int = 2000) -> float:
    """Return the median time of a call, µs."""
    taken = []
    for _ in range(times):
        begin_s = time.perf_counter()
        step()
        taken.append(time.perf_counter() - begin_s)
    return statistics.median(taken) * 1e6


def core() -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, FRAMES * CHANNELS).astype(np.float32)
    monitor, index = StreamMonitor(Limits(), 0.0), 0

    def hear() -> None:
        nonlocal index
        block = Block(wave, RATE, CHANNELS, index * 20_000_000, index * FRAMES)
        monitor.hear(block, (index + 1) * 20_000_000, index * 0.02)
        index += 1

    message = Audio(sample_rate_hz=RATE, channels=CHANNELS)
    message.data = array.array("f", wave.tobytes())
    print(f"monitor, a block:            {median_us(hear):7.1f} us")
    print(f"message to block:            {median_us(lambda: own(message)):7.1f} us")
    print(f"block to message data:       {median_us(lambda: array.array('f', wave.tobytes())):7.1f} us")


def processor_s(pid: int) -> float:
    """Return the processor time of a process so far, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def node(name: str, parameters: list[str], talk: Callable[[], None] | None) -> None:
    options = [part for p in parameters for part in ("-p", p)]
    command = [sys.executable, "-m", "hearing_hands_ros.nodes.microphone", "--ros-args", *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        shares = []
        end_s = time.monotonic() + 3.0
        while time.monotonic() < end_s:  # discovery, first sound
            (talk or (lambda: time.sleep(0.02)))()
        for _ in range(5):
            before_s, begin_s = processor_s(process.pid), time.monotonic()
            while time.monotonic() - begin_s < NODE_S / 5:
                (talk or (lambda: time.sleep(0.02)))()
            shares.append((processor_s(process.pid) - before_s) / (time.monotonic() - begin_s))
        print(f"{name:28} {100 * statistics.median(shares):7.2f} % of a core")
    finally:
        process.terminate()
        process.wait(10.0)


def main() -> None:
    os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 100))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    core()
    rclpy.init()
    probe = rclpy.create_node("talker")
    publisher = probe.create_publisher(Audio, "audio", 50)
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, FRAMES * CHANNELS).astype(np.float32)
    data, begin_s, index = array.array("f", wave.tobytes()), time.time(), 0

    def talk() -> None:
        nonlocal index
        time.sleep(max(0.0, begin_s + (index + 1) * 0.02 - time.time()))
        message = Audio(sample_rate_hz=RATE, channels=CHANNELS, first_sample=index * FRAMES)
        message.header.stamp = Time(nanoseconds=round((begin_s + index * 0.02) * 1e9)).to_msg()
        message.data = data
        publisher.publish(message)
        index += 1

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.wav"
        soundfile.write(path, wave.reshape(-1, CHANNELS).repeat(50, 0), RATE)
        node("node, source 'file':", ["source:=file", f"file:={path}", "loop:=true"], None)
    node("node, source 'topic':", ["source:=topic"], talk)
    node("node, nothing to hear:", ["source:=topic", "topic:=nobody"], None)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
