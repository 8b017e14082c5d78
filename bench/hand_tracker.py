"""Share of a core that `hand_tracker` takes with 1 kHz of TF, and the time from a touch's end to its prediction.

    .venv/bin/python bench/hand_tracker.py

A hand of 21 keypoint frames taps the demo's bench twice a second. TF comes as 1000 messages a second (one frame each),
so every keypoint has 47 Hz. Processor time is read from /proc over 10 s, three times; the generator runs beside it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 100))
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

import rclpy  # noqa: E402
from geometry_msgs.msg import TransformStamped  # noqa: E402
from hearing_hands_ros.msg import SoundPrediction  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

from hearing_hands_ros.ros.hand_messages import stamp_from_ns  # noqa: E402

RATE_HZ = 1000
RUNS, RUN_S = 3, 10.0


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(node: str, **parameters: str) -> subprocess.Popen[bytes]:
    """Start one of our nodes."""
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", f"hearing_hands_ros.nodes.{node}", "--ros-args", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Measure and print."""
    scene = str(ROOT / "demo" / "scene")
    tracker = start("hand_tracker", scene=scene)
    generator = start("sound_generator", model=str(ROOT / "demo" / "bank"), scene=scene)
    rclpy.init()
    node = rclpy.create_node("bench")
    publisher = node.create_publisher(TFMessage, "/tf", 100)
    latencies: list[float] = []
    node.create_subscription(SoundPrediction, "predicted", lambda m: latencies.append(m.latency), 50)
    thread = threading.Thread(target=rclpy.spin, args=(node,), daemon=True)
    thread.start()
    point, normal = table_point()
    stop = threading.Event()
    sent = [0]

    def publish() -> None:
        begun = time.perf_counter()
        while not stop.is_set():
            number = sent[0]
            wait = begun + number / RATE_HZ - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            now = time.time_ns()
            phase = now / 1e9 % 0.5 - 0.25
            height = min(0.35 * max(-phase, phase - 0.08, 0.0), 0.08)
            transform = TransformStamped()
            transform.header.stamp = stamp_from_ns(now)
            transform.header.frame_id = "bench_scene"
            index = number % 21
            transform.child_frame_id = f"hand_right/kp_{index:02d}"
            # The index fingertip touches; the others stand higher.
            place = point + normal * (height + (0.0 if index == 8 else 0.02 + 0.003 * index))
            translation = transform.transform.translation
            translation.x, translation.y, translation.z = (float(value) for value in place)
            publisher.publish(TFMessage(transforms=[transform]))
            sent[0] += 1

    sender = threading.Thread(target=publish, daemon=True)
    try:
        time.sleep(6.0)
        sender.start()
        time.sleep(3.0)
        shares = []
        for _ in range(RUNS):
            before, sent_before, wall = processor_s(tracker.pid), sent[0], time.perf_counter()
            time.sleep(RUN_S)
            seconds = time.perf_counter() - wall
            shares.append((processor_s(tracker.pid) - before) / seconds)
            print(f"  {(sent[0] - sent_before) / seconds:.0f} TF messages/s: {100 * shares[-1]:.1f} % of a core")
        print(f"hand_tracker with 1 kHz TF: median {100 * np.median(shares):.1f} % of one core")
        if latencies:
            p50, p95 = np.percentile(latencies, [50, 95])
            print(
                f"touch end to prediction: p50 {1e3 * p50:.0f} ms, p95 {1e3 * p95:.0f} ms over {len(latencies)} touches"
            )
    finally:
        stop.set()
        for process in (tracker, generator):
            process.terminate()
            process.wait(10.0)
        rclpy.try_shutdown()
        thread.join(5.0)


def table_point() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a point that the demo's hand taps, and the surface's normal there, in the scene frame."""
    truth = yaml.safe_load((ROOT / "demo" / "truth.yaml").read_text())
    tap = next(touch for touch in truth["touches"] if touch["kind"] == "tap")
    return np.array(tap["position_m"]), np.array(tap["normal"])


if __name__ == "__main__":
    main()
