"""How fast recordings become a dataset, and in how much memory.

    .venv/bin/python bench/dataset_build.py [--minutes 10] [--jobs 2] [--keep FOLDER]

Writes a bag of so many minutes with sound at 48 kHz, 21 keypoint frames in TF at 1 kHz and 640 x 480 JPEG pictures at
30 Hz, builds a dataset of it with `hearing-hands dataset build`, and prints minutes for each hour of bag and the memory
of all processes together. Motion, scene and pictures are simulated; sounds are the recordings that the demo hears, over
and over.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from heapq import merge
from pathlib import Path

import numpy as np
import soxr
from PIL import Image
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from graph_load import DEMO, Played, played  # noqa: E402

from hearing_hands_ros.demo import hand, heard, motion, world  # noqa: E402
from hearing_hands_ros.demo.bag import AUDIO_TYPE, CAMERA_FRAME  # noqa: E402
from hearing_hands_ros.demo.build import START_NS, camera_in_world  # noqa: E402
from hearing_hands_ros.motion.hands import KEYPOINTS  # noqa: E402
from hearing_hands_ros.motion.window import NANOSECONDS  # noqa: E402

SOUND_HZ, TF_HZ, PICTURES_HZ, SIZE = 48_000, 1000, 30, (640, 480)
BLOCK = 960
PICTURES = 60  # different ones, of some 25 KB
POLL_S = 0.25
TF, IMAGE = "tf2_msgs/msg/TFMessage", "sensor_msgs/msg/CompressedImage"
PART_S = 60.0

Message = tuple[int, str, bytes]


def write(bag: Path, scene: Played) -> None:
    """Write the bag."""
    store = get_typestore(Stores.ROS2_KILTED)
    store.register(get_types_from_msg((ROOT / "msg" / "Audio.msg").read_text(), AUDIO_TYPE))
    writer = Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    kinds = {"/tf_static": TF, "/tf": TF, "/microphone/audio": AUDIO_TYPE, "/camera/image/compressed": IMAGE}
    with writer:
        into = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}
        for stamp_ns, topic, raw in merge(_hands(store, scene), _sound(store, scene), _pictures(store, scene)):
            writer.write(into[topic], stamp_ns, raw)


def _header(store, stamp_ns: int, frame_id: str):
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](stamp_ns // NANOSECONDS, stamp_ns % NANOSECONDS)
    return types["std_msgs/msg/Header"](stamp, frame_id)


def _edges(store, stamp_ns: int, parent: str, children: list[str], position, turn: Rotation) -> bytes:
    types = store.types
    x, y, z, w = (float(v) for v in turn.as_quat())
    transform = types["geometry_msgs/msg/Transform"](
        types["geometry_msgs/msg/Vector3"](*(float(v) for v in position)),
        types["geometry_msgs/msg/Quaternion"](x, y, z, w),
    )
    kind = types["geometry_msgs/msg/TransformStamped"]
    edges = [kind(_header(store, stamp_ns, parent), child, transform) for child in children]
    return bytes(store.serialize_cdr(types[TF](edges), TF))


def _hands(store, scene: Played) -> Iterator[Message]:
    """One message that is patched a million times: to serialize each would take longer than all that is measured."""
    camera = camera_in_world()
    yield START_NS, "/tf_static", _edges(store, START_NS, world.WORLD_FRAME, [CAMERA_FRAME], camera[1], camera[0])
    names = [f"hand_right/kp_{k:02d}" for k in range(KEYPOINTS)]
    template = _edges(store, START_NS, CAMERA_FRAME, names, [1e300, 1e301, 1e302], Rotation.identity())
    stamp, place = np.array([START_NS // NANOSECONDS], "<i4").tobytes(), np.array([1e300], "<f8").tobytes()
    stamps, places = _found(template, stamp), _found(template, place)
    rng = np.random.default_rng(77)
    for first_s in np.arange(0.0, scene.seconds, PART_S):
        time_s = np.arange(round(first_s * TF_HZ), round(min(first_s + PART_S, scene.seconds - 0.1) * TF_HZ)) / TF_HZ
        points, turn = hand.pose(motion.fingertip(scene.events, time_s), time_s, seed=5)
        in_camera = camera[0].inv().apply(world.world_from_bench(points.reshape(-1, 3)) - camera[1])
        in_camera = in_camera.reshape(points.shape) + rng.normal(0.0, 5e-4, points.shape)
        quats = (camera[0].inv() * world.WORLD_FROM_BENCH[0] * turn).as_quat()
        at_ns = START_NS + np.round(time_s * NANOSECONDS).astype(np.int64)
        raw = np.tile(np.frombuffer(template, np.uint8), (len(time_s), 1))
        when = np.stack([at_ns // NANOSECONDS, at_ns % NANOSECONDS], axis=1).astype("<u4")
        for k in range(KEYPOINTS):
            numbers = np.concatenate([in_camera[:, k], quats], axis=1).astype("<f8")
            raw[:, stamps[k] : stamps[k] + 8] = when.view(np.uint8).reshape(len(raw), 8)
            raw[:, places[k] : places[k] + 56] = numbers.view(np.uint8).reshape(len(raw), 56)
        for stamp_ns, row in zip(at_ns, raw, strict=True):
            yield int(stamp_ns) + 2_000_000, "/tf", row.tobytes()


def _found(data: bytes, piece: bytes) -> list[int]:
    places = [at for at in range(len(data)) if data.startswith(piece, at)]
    if len(places) != KEYPOINTS:
        raise ValueError(f"template: wanted {KEYPOINTS} places, found {len(places)}")
    return places


def _sound(store, scene: Played) -> Iterator[Message]:
    wave = soxr.resample(scene.wave, heard.RATE_HZ, SOUND_HZ)
    for first in range(0, len(wave) - BLOCK + 1, BLOCK):
        stamp_ns = START_NS + round(first * NANOSECONDS / SOUND_HZ)
        message = store.types[AUDIO_TYPE](
            header=_header(store, stamp_ns, "microphone"),
            sample_rate_hz=SOUND_HZ,
            channels=1,
            first_sample=first,
            data=wave[first : first + BLOCK],
            lost=np.zeros(0, np.bool_),
        )
        yield stamp_ns + 21_000_000, "/microphone/audio", bytes(store.serialize_cdr(message, AUDIO_TYPE))


def _pictures(store, scene: Played) -> Iterator[Message]:
    rng = np.random.default_rng(3)
    files = []
    for _ in range(PICTURES):
        small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
        buffer = io.BytesIO()
        small.resize(SIZE, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
        files.append(np.frombuffer(buffer.getvalue(), np.uint8))
    for number in range(int(scene.seconds * PICTURES_HZ)):
        stamp_ns = START_NS + number * NANOSECONDS // PICTURES_HZ
        header = _header(store, stamp_ns, CAMERA_FRAME)
        message = store.types[IMAGE](header=header, format="jpeg", data=files[number % PICTURES])
        yield stamp_ns + 30_000_000, "/camera/image/compressed", bytes(store.serialize_cdr(message, IMAGE))


def memory_mib(pid: int) -> float:
    """Memory of a process and all it has started: what is shared is shared out among them."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            waiting += [int(c) for c in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(row.split()[1]) for row in text.splitlines() if row.startswith("Pss:")), 0) / 1024
    return total


def measured(command: list[str], *, log: Path) -> tuple[float, float, float]:
    """Run a command; seconds that passed, seconds of processors, and most memory of it and its processes, MiB."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    begun, used, most = time.monotonic(), os.times(), 0.0
    with log.open("w") as stream, subprocess.Popen(command, env=environment, stdout=stream, cwd=ROOT) as process:
        while process.poll() is None:
            most = max(most, memory_mib(process.pid))
            time.sleep(POLL_S)
    if process.returncode:
        sys.exit(f"dataset build: exit code {process.returncode}")
    now = os.times()
    spent = now.children_user + now.children_system - used.children_user - used.children_system
    return time.monotonic() - begun, spent, most


def main() -> None:
    """Write, build, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of bag")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--views", default="bare", help="as of dataset build")
    parser.add_argument("--keep", type=Path, help="folder for bag and dataset; a bag that is there is used again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bag, out = folder / f"robot_{args.minutes:g}", Path(temporary) / "dataset"
        if not bag.is_dir():
            write(bag, played(60.0 * args.minutes, folder, odd=False))
        size = sum(file.stat().st_size for file in bag.iterdir())
        command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "dataset", "build", str(bag)]
        command += ["--scene", str(DEMO / "scene"), "--params-file", str(DEMO / "params.yaml"), "--out", str(out)]
        command += ["--jobs", str(args.jobs), "--views", args.views, "--origin", "simulated"]
        log = folder / "build.txt"
        wall_s, used_s, most = measured(command, log=log)
        print(log.read_text())
    hours = args.minutes / 60.0
    print(f"bag:    {args.minutes:g} minutes at least, {size / 2**20:.0f} MiB")
    print(f"build:  {wall_s:.1f} s: {wall_s / 60.0 / hours:.2f} minutes for an hour of bag with {args.jobs} processes")
    print(f"used:   {used_s:.1f} s of processors: {used_s / 60.0 / hours:.2f} minutes for an hour of bag")
    print(f"memory: {most:.0f} MiB at most, all processes together; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
