"""Ten minutes of 48 kHz stereo through the microphone node while every core of the machine is kept busy.

    PYTHONPATH=. python bench/microphone_load.py [--minutes 10] [--source device|topic] [--busy 2]

Source 'device' is a virtual ALSA device (test/interfaces/virtual_microphone; wants gcc, ALSA and PortAudio), 'topic' a
talker of the ROS graph. Prints what was lost, what share of a core the node and its children took, and how its memory
grew from the first tenth of the time on. Ends with 1 if a sample was lost.
"""

from __future__ import annotations

import argparse
import array
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from hearing_hands_ros.msg import Audio
from rclpy.time import Time

ROOT = Path(__file__).parents[1]
RATE, CHANNELS, FRAMES = 48_000, 2, 960


def virtual_microphone(folder: Path) -> dict[str, str]:
    """Return the environment in which the ALSA device 'testmic' exists."""
    library, control, configuration = folder / "microphone.so", folder / "control", folder / "alsa.conf"
    source = ROOT / "test" / "interfaces" / "virtual_microphone" / "virtual_microphone.c"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-l:libasound.so.2", "-lm"]
    subprocess.run(command, check=True)
    control.write_text("-")
    configuration.write_text(
        "</usr/share/alsa/alsa.conf>\n"
        f'pcm_type.virtual_microphone {{ lib "{library}" }}\n'
        f'pcm.testmic {{ type virtual_microphone control "{control}" }}\n'
    )
    return {"ALSA_CONFIG_PATH": str(configuration)}


def processes(pid: int) -> list[int]:
    """Return a process and its children."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def processor_s(pid: int) -> float:
    """Return the processor time of a process and its children so far, s."""
    ticks = 0
    for each in processes(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process and its children, MiB."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in processes(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Heard:
    """Counts what the node publishes, and keeps what it says about itself."""

    def __init__(self, node: Any) -> None:
        self.frames, self.lost, self.jumps = 0, 0, 0
        self.values: dict[str, str] = {}
        self._next: int | None = None
        node.create_subscription(Audio, "heard/audio", self._hear, 500)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._read, 10)

    def _hear(self, message: Any) -> None:
        frames = len(message.data) // message.channels
        self.jumps += self._next not in (None, message.first_sample)
        self._next = message.first_sample + frames
        self.frames += frames
        self.lost += sum(message.lost)

    def _read(self, message: Any) -> None:
        for status in message.status:
            if "microphone" in status.name:
                self.values = {value.key: value.value for value in status.values}


@contextmanager
def started(commands: list[list[str]], environment: dict[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run processes, and end them."""
    running = [subprocess.Popen(c, env={**os.environ, **environment}, stderr=subprocess.DEVNULL) for c in commands]
    try:
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(10.0)


def talk(publisher: Any, stop: threading.Event) -> None:
    """Publish noise in real time, catching up where it was held up."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, FRAMES * CHANNELS).astype(np.float32)
    data, begin_s, index = array.array("f", noise.tobytes()), time.time(), 0
    while not stop.wait(max(0.0, begin_s + (index + 1) * FRAMES / RATE - time.time())):
        message = Audio(sample_rate_hz=RATE, channels=CHANNELS, first_sample=index * FRAMES)
        message.header.stamp = Time(nanoseconds=round((begin_s + index * FRAMES / RATE) * 1e9)).to_msg()
        message.data = data
        publisher.publish(message)
        index += 1


def measure(source: str, minutes: float, busy: int, folder: Path) -> bool:
    """Run and print; return whether all was heard."""
    probe = rclpy.create_node("bench")
    heard = Heard(probe)
    executor = rclpy.executors.SingleThreadedExecutor()
    executor.add_node(probe)
    stop = threading.Event()
    threads = [threading.Thread(target=executor.spin)]
    environment: dict[str, str] = {}
    parameters = [f"source:={source}"]
    if source == "device":
        environment = virtual_microphone(folder)
        parameters += ["device:=testmic", f"sample_rate_hz:={RATE}", f"channels:={CHANNELS}"]
    else:
        publisher = probe.create_publisher(Audio, "audio", 50)
        threads.append(threading.Thread(target=talk, args=(publisher, stop)))
    node = [sys.executable, "-m", "hearing_hands_ros.nodes.microphone", "--ros-args"]
    node += [part for p in parameters for part in ("-p", p)]
    burner = [sys.executable, "-c", "while True: pass"]
    with started([node, *[burner] * busy], environment) as (microphone, *_):
        for thread in threads:
            thread.start()
        while heard.frames < RATE:  # begins when a second was heard
            time.sleep(0.1)
        begin_s, before_s, frames, lost = time.monotonic(), processor_s(microphone.pid), heard.frames, heard.lost
        jumps, first_mib = heard.jumps, 0.0
        while (passed_s := time.monotonic() - begin_s) < minutes * 60:
            time.sleep(0.5)
            first_mib = first_mib or (memory_mib(microphone.pid) if passed_s > minutes * 6 else 0.0)
        share = (processor_s(microphone.pid) - before_s) / passed_s
        grown_mib, values = memory_mib(microphone.pid) - first_mib, dict(heard.values)
        sound_s, lost, jumps = (heard.frames - frames) / RATE, heard.lost - lost, heard.jumps - jumps
    stop.set()
    executor.shutdown()
    for thread in threads:
        thread.join()
    print(f"source '{source}', {passed_s:.0f} s with {busy} busy processes on {os.cpu_count()} cores")
    print(f"heard:              {sound_s:.1f} s of sound, {lost} frames marked as lost, {jumps} jumps of the count")
    names = ("lost_frames", "gaps", "overruns", "restarts", "clock_drift_ppm", "stamp_jitter_p95_s")
    print("the node says:      " + ", ".join(f"{name} {values[name]}" for name in names))
    print(f"processor:          {100 * share:.1f} % of a core, the device's process included")
    print(f"memory:             {first_mib:.1f} MiB after a tenth of the time, {grown_mib:+.2f} MiB since")
    return lost == jumps == 0 and values["lost_frames"] == "0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to listen")
    parser.add_argument("--source", choices=("device", "topic"), default="device", help="where sound comes from")
    parser.add_argument("--busy", type=int, default=os.cpu_count(), help="processes that take all processor time")
    arguments = parser.parse_args()
    os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 100))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    rclpy.init()
    with tempfile.TemporaryDirectory() as folder:
        whole = measure(arguments.source, arguments.minutes, arguments.busy, Path(folder))
    rclpy.try_shutdown()
    sys.exit(not whole)


if __name__ == "__main__":
    main()
