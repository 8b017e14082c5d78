"""Processor time and memory of the recorder with 48 kHz stereo sound, 1 kHz TF and 30 Hz images of 640x480.

    PYTHONPATH=. python bench/recording.py [--seconds 30] [--image look.png] [--images none]

Prints what share of a core the recorder took, its memory, how old what is on the disk was at worst, what the bag weighs
and whether anything was lost. Images are noise, which cannot be compressed, or a picture that moves. Ends with 1 if a
message was lost or dropped.
"""

from __future__ import annotations

import argparse
import array
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import TransformStamped
from hearing_hands_ros.msg import Audio
from PIL import Image as Picture
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage

from hearing_hands_ros.replay.recorded_bag import RecordedBag

AUDIO_HZ, BLOCK_S, TF_HZ, IMAGES_HZ, WIDTH, HEIGHT = 48_000, 0.02, 1000, 30, 640, 480


def picture(path: Path | None) -> np.ndarray:
    """(480, 640, 3) uint8: a file, or noise."""
    if path is None:
        return np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    return np.asarray(Picture.open(path).convert("RGB").resize((WIDTH, HEIGHT)))


def transform() -> TFMessage:
    """One edge."""
    edge = TransformStamped(child_frame_id="tool0")
    edge.header.frame_id = "base_link"
    return TFMessage(transforms=[edge])


def talk(seconds: float, pixels: np.ndarray | None) -> dict[str, int]:
    """Publish in real time; return how many messages were sent on each topic."""
    rclpy.init()
    node = rclpy.create_node("talker")
    rng = np.random.default_rng(0)
    frames = round(AUDIO_HZ * BLOCK_S)
    audio = Audio(sample_rate_hz=AUDIO_HZ, channels=2)
    images = [] if pixels is None else [np.roll(pixels, 3 * k, axis=1).tobytes() for k in range(8)]
    deep = QoSProfile(depth=1000)
    publishers = {
        "/tf": (node.create_publisher(TFMessage, "/tf", deep), TF_HZ),
        "/heard/audio": (node.create_publisher(Audio, "/heard/audio", deep), 1 / BLOCK_S),
        "/camera/image_raw": (node.create_publisher(Image, "/camera/image_raw", 30), IMAGES_HZ if images else 0),
    }
    edge = serialize_message(transform())
    sent = dict.fromkeys(publishers, 0)

    def message(topic: str) -> Any:
        if topic == "/tf":
            return edge
        if topic == "/heard/audio":
            audio.data = array.array("f", rng.normal(0, 0.1, 2 * frames).astype(np.float32).tobytes())
            return audio
        image = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH)
        image.data = array.array("B", images[sent[topic] % len(images)])
        return image

    begin_s = time.monotonic()
    while (now_s := time.monotonic() - begin_s) < seconds:
        for topic, (publisher, rate_hz) in publishers.items():
            while sent[topic] < now_s * rate_hz:
                publisher.publish(message(topic))
                sent[topic] += 1
        time.sleep(0.0005)
    time.sleep(0.5)
    rclpy.shutdown()
    return sent


def processor_s(pid: int) -> float:
    """Processor time of a process so far, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Resident memory of a process, MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--image", type=Path, help="a picture in the place of noise")
    parser.add_argument("--images", choices=("raw", "none"), default="raw")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / "bag"
        command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "record", "--out", str(bag)]
        with (Path(folder) / "log").open("w+") as log:
            recorder = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            talker = subprocess.Popen([sys.executable, __file__, "--talk", str(args.seconds + 3.0), *sys.argv[1:]])
            try:
                result = follow(recorder, bag, args.seconds)
                talker.wait(30.0)
            finally:
                talker.kill()
                recorder.send_signal(signal.SIGINT)
                code = recorder.wait(30.0)
            log.seek(0)
            text = log.read()
        print(f"recorder: {result}")
        found = RecordedBag(bag)
        for connection in found.connections:
            print(f"{connection.topic}: {connection.msgcount} messages")
        print(f"bag: {(bag / 'bag.mcap').stat().st_size / 1e6:.1f} MB for {found.seconds:.1f} s")
        found.close()
        lost = re.findall(r"\d+ messages (?:lost|dropped).*", text)
        print(f"lost or dropped: {lost[-1] if lost else 'nothing'}")
    return code or int(bool(lost))


def follow(recorder: subprocess.Popen[bytes], bag: Path, seconds: float) -> str:
    """Watch the recorder for a while after it began to write much; say what it took."""
    file = bag / "bag.mcap"
    until_s = time.monotonic() + 30.0
    while not (file.exists() and file.stat().st_size > 100_000):
        if time.monotonic() > until_s:
            raise TimeoutError("the recorder does not begin")
        time.sleep(0.01)
    begin_s, took_s, oldest_s = time.monotonic(), processor_s(recorder.pid), 0.0
    size, grown_s, memory = 0, begin_s, list[float]()
    while time.monotonic() < begin_s + seconds - 1.0:
        now_s = time.monotonic()
        if file.stat().st_size != size:
            oldest_s, size, grown_s = max(oldest_s, now_s - grown_s), file.stat().st_size, now_s
        memory.append(memory_mib(recorder.pid))
        time.sleep(0.02)
    share = (processor_s(recorder.pid) - took_s) / (time.monotonic() - begin_s)
    parts = [max(part) for part in np.array_split(memory, 3)]
    memory_text = "/".join(f"{part:.0f}" for part in parts)
    return f"{100 * share:.1f} % of a core, {memory_text} MiB in each third, file still for {oldest_s:.2f} s at most"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--talk"]:
        own = argparse.ArgumentParser()
        own.add_argument("--image", type=Path)
        own.add_argument("--images", default="raw")
        own.add_argument("--seconds")
        given = own.parse_args(sys.argv[3:])
        print(f"sent: {talk(float(sys.argv[2]), picture(given.image) if given.images == 'raw' else None)}", flush=True)
        sys.exit(0)
    sys.exit(main())
