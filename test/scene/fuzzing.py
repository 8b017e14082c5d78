"""Valid files of every kind that is read from outside, ways to break them, and what may come of it.

A broken file may be read, if it still makes sense, or be refused by ValueError or FileNotFoundError. Anything else is a
fault of ours. Used by test_fuzz.py and bench/fuzz_scene.py.
"""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gsply
import numpy as np
from made_outputs import photos, splats_at, write_gaussian_splatting, write_model, write_nerfstudio

from hearing_hands_ros.scene.bundle import Registration, SceneBundle, Sfm
from hearing_hands_ros.scene.importers.colmap import read_model
from hearing_hands_ros.scene.importers.gaussian_splatting import read_cameras
from hearing_hands_ros.scene.importers.nerfstudio import read_dataparser, read_transforms
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats

Mutation = Callable[[np.random.Generator, bytes], bytes]
NASTY_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
NASTY_WORDS = (
    b"0", b"-1", b"1", b"4", b"255", b"256", b"65536", b"2147483648", b"4294967295", b"9223372036854775807",
    b"99999999999999999999", b"1e39", b"1e999", b"-1e999", b"nan", b"NaN", b".nan", b"-Infinity", b"1e-320",
    b"0x7fffffff", b"null", b"true", b"~", b"''", b"[]", b"{}", b"[[[]]]", b"{a: 1}", b"double", b"uchar",
    b"list uchar int", b"&a [*a]", b"!!python/object:os.system x", b"!!timestamp 9999-99-99", b"2001-99-99", b"1:1:1",
    b"../../etc/passwd", b"\x00", b"\xff\xfe", b"a" * 300, b"[" * 2000, b"{a: " * 500,
)  # fmt: skip
NASTY_NUMBERS = (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
NASTY_FLOATS = (np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45, 88.8, -200.0, 0.0)


@dataclass(frozen=True)
class Target:
    """A file, and who reads it.

    Attributes:
        name: For reports.
        path: The file; broken ones are written in its place.
        read: Reads it.
        packed: Whether breaking happens inside gzip too, where no checksum protects.
    """

    name: str
    path: Path
    read: Callable[[], object]
    packed: bool = False


def targets(folder: Path) -> list[Target]:
    """Write valid files and return them."""
    found = [*_splat_files(folder), *_bundle_files(folder / "bundle")]
    studio = write_nerfstudio(folder / "ns")
    transforms = studio / "data/transforms.json"
    dataparser = next(studio.glob("outputs/*/*/dataparser_transforms.json"))
    cameras = write_gaussian_splatting(folder / "gs") / "cameras.json"
    found += [
        Target("transforms.json", transforms, lambda: read_transforms(transforms, Sim3.identity())),
        Target("dataparser_transforms.json", dataparser, lambda: read_dataparser(dataparser)),
        Target("cameras.json", cameras, lambda: read_cameras(cameras)),
    ]
    for text in (False, True):
        model = write_model(folder / f"model_{text}", photos(4), text)
        for part in ("cameras", "images"):
            path = model / f"{part}.{'txt' if text else 'bin'}"
            found.append(Target(f"COLMAP {path.name}", path, lambda model=model: read_model(model)))  # type: ignore[misc]
    for target in found:
        target.read()  # all are valid to begin with
    return found


def outcome(target: Target, content: bytes) -> str:
    """Read a broken file: `read` or `refused`; whatever else the reader raises goes through."""
    target.path.write_bytes(content)
    try:
        got = target.read()
    except (ValueError, FileNotFoundError) as error:
        assert str(error), f"{target.name}: refused without a word"
        assert len(str(error)) < 20_000, f"{target.name}: refused with {len(str(error))} letters"
        return "refused"
    if isinstance(got, SplatScene):
        columns = (got.means, got.scales, got.quats_wxyz, got.opacities, got.sh)
        assert all(np.isfinite(column).all() for column in columns), f"{target.name}: read, but not finite"
    return "read"


def broken(rng: np.random.Generator, target: Target, valid: bytes) -> bytes:
    """The file with one to four things wrong with it."""
    inside = target.packed and rng.random() < 0.7
    content = gzip.decompress(valid) if inside else valid
    for _ in range(min(int(rng.geometric(0.6)), 4)):
        content = MUTATIONS[int(rng.integers(len(MUTATIONS)))](rng, content)
    return gzip.compress(content, 1) if inside else content


def _splat_files(folder: Path) -> list[Target]:
    points = np.random.default_rng(1).normal(0.0, 1.0, (20, 3))
    small, large = splats_at(points, 0), splats_at(points, 3)
    write_splats(folder / "small.ply", small)
    write_splats(folder / "large.ply", large)
    write_splats(folder / "small.spz", small)
    write_splats(folder / "large.spz", large)
    raw = (folder / "small.ply").read_bytes()
    start = raw.index(b"end_header\n") + 11
    table = np.frombuffer(raw[start:], "<f4").astype("<f8")
    (folder / "double.ply").write_bytes(raw[:start].replace(b"float", b"double") + table.tobytes())
    data = gsply.GSData.from_arrays(
        means=large.means,
        scales=np.log(large.scales),
        quats=large.quats_wxyz,
        opacities=np.full(20, 2.0, np.float32),
        sh0=np.ascontiguousarray(large.sh[:, 0]),
        shN=np.ascontiguousarray(large.sh[:, 1:]),
        format="ply",
    )
    (folder / "packed.ply").write_bytes(gsply.compress_to_bytes(data))
    names = ("small.ply", "large.ply", "double.ply", "packed.ply", "small.spz", "large.spz")
    return [
        Target(name, folder / name, lambda name=name: read_splats(folder / name), name.endswith(".spz"))  # type: ignore[misc]
        for name in names
    ]


def _bundle_files(folder: Path) -> list[Target]:
    splats = splats_at(np.random.default_rng(2).normal(0.0, 1.0, (12, 3)), 0)
    SceneBundle(
        name="desk",
        splats=splats,
        frame_id="desk",
        up=np.array([0.0, 0.0, 1.0]),
        registration=Registration("world", Sim3(0.5, [1.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), 1.0, 0.1),
        cameras=tuple(photos(2)),
        viewpoints_m=np.array([[0.0, 0.0, 1.0]]),
        sfm=Sfm(write_model(folder / "sfm", photos(2)), Sim3.identity()),
        material_names=("wood", "metal"),
        labels=np.zeros(len(splats), np.uint8),
    ).save(folder)
    names = ("scene.yaml", "labels.npy", "scene.spz")
    return [Target(f"bundle's {name}", folder / name, lambda: SceneBundle.load(folder)) for name in names]


def _flip(rng: np.random.Generator, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        if changed:
            at = int(rng.integers(len(changed)))
            changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _nasty(rng: np.random.Generator, content: bytes) -> bytes:
    changed = bytearray(content)
    if changed:
        changed[int(rng.integers(len(changed)))] = int(rng.choice(NASTY_BYTES))
    return bytes(changed)


def _cut(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _drop(rng: np.random.Generator, content: bytes) -> bytes:
    at = int(rng.integers(len(content) + 1))
    return content[:at] + content[at + int(rng.integers(1, 33)) :]


def _repeat(rng: np.random.Generator, content: bytes) -> bytes:
    first, last = sorted(int(v) for v in rng.integers(len(content) + 1, size=2))
    return content[:last] + content[first : min(last, first + 4096)] + content[last:]


def _insert(rng: np.random.Generator, content: bytes) -> bytes:
    at = int(rng.integers(len(content) + 1))
    return content[:at] + rng.bytes(int(rng.integers(1, 33))) + content[at:]


def _header(rng: np.random.Generator, content: bytes) -> bytes:
    """Something in the first hundreds of bytes, where counts and types are."""
    size = int(rng.choice([16, 64, 400, 1600]))
    edit = (_flip, _nasty, _word, _drop)[int(rng.integers(4))]
    return edit(rng, content[:size]) + content[size:]


def _word(rng: np.random.Generator, content: bytes) -> bytes:
    """One number or word becomes another."""
    found = list(re.finditer(rb"[-+.\w]+", content[:20_000]))
    if not found:
        return content
    word = found[int(rng.integers(len(found)))]
    return content[: word.start()] + NASTY_WORDS[int(rng.integers(len(NASTY_WORDS)))] + content[word.end() :]


def _swap(rng: np.random.Generator, content: bytes) -> bytes:
    """Two words change places."""
    found = list(re.finditer(rb"[-+.\w]+", content[:20_000]))
    if len(found) < 2:
        return content
    a, b = (found[i] for i in sorted(rng.choice(len(found), 2, replace=False)))
    return content[: a.start()] + b[0] + content[a.end() : b.start()] + a[0] + content[b.end() :]


def _number(rng: np.random.Generator, content: bytes) -> bytes:
    """A 4-byte or 8-byte number becomes an extreme one."""
    if rng.random() < 0.5:
        value = struct.pack("<f", NASTY_FLOATS[int(rng.integers(len(NASTY_FLOATS)))])
    else:
        value = struct.pack("<Q" if rng.random() < 0.3 else "<I", NASTY_NUMBERS[int(rng.integers(len(NASTY_NUMBERS)))])
    at = int(rng.integers(max(len(content) - len(value), 1)))
    return content[:at] + value + content[at + len(value) :]


MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _nasty,
    _cut,
    _drop,
    _repeat,
    _insert,
    _header,
    _header,
    _word,
    _swap,
    _number,
)
