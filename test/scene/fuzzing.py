"""Valid files of every kind that is read from outside, ways to break them, and what may come of it.

A broken file may be read, if it still makes sense, or be refused by ValueError or FileNotFoundError. Anything else is a
fault of ours. Used by test_fuzz.py and bench/fuzz_scene.py.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gsply
import numpy as np
import yaml
from backports import zstd
from made_outputs import in_streams, photos, splats_at, write_gaussian_splatting, write_model, write_nerfstudio
from PIL import Image

from hearing_hands_ros.scene.bundle import Registration, SceneBundle, Sfm
from hearing_hands_ros.scene.cells import SurfaceCells
from hearing_hands_ros.scene.importers.colmap_model import read_model, read_points
from hearing_hands_ros.scene.importers.gaussian_splatting import read_cameras
from hearing_hands_ros.scene.importers.nerfstudio import read_dataparser, read_transforms
from hearing_hands_ros.scene.registration.cloud_file import read_cloud
from hearing_hands_ros.scene.registration.image_folder import read_image_folder
from hearing_hands_ros.scene.registration.localize import Localizer
from hearing_hands_ros.scene.registration.pairs import COLUMNS, read_pairs
from hearing_hands_ros.scene.registration.pixels import read_pixels
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats
from hearing_hands_ros.scene.viewpoint import LocalView
from hearing_hands_ros.vision.baked import BakedFeatures, identity

Mutation = Callable[[np.random.Generator, bytes], bytes]
Inside = Callable[[np.random.Generator, bytes, Mutation], bytes]
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
        inside: Breaks what a checksum protects and renews the checksum, where there is one.
    """

    name: str
    path: Path
    read: Callable[[], object]
    inside: Inside | None = None


class Encoder:
    """What baked features are asked to be of."""

    name, dim, image_size, licence = "stand-in", 4, 8, "none"

    def encode(self, images: np.ndarray) -> np.ndarray:
        """(N, 4) nothing."""
        return np.zeros((len(images), self.dim), np.float32)


def targets(folder: Path) -> list[Target]:
    """Write valid files and return them."""
    found = [*_splat_files(folder), *_bundle_files(folder / "bundle"), *_registration_files(folder / "registration")]
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
        _write_points(model, text)
        path = model / f"points3D.{'txt' if text else 'bin'}"
        found.append(Target(f"COLMAP {path.name}", path, lambda model=model: read_points(model)))  # type: ignore[misc]
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
    columns: tuple[np.ndarray, ...] = ()
    if isinstance(got, SplatScene):
        columns = (got.means, got.scales, got.quats_wxyz, got.opacities, got.sh)
    elif isinstance(got, BakedFeatures):
        columns = (np.asarray(got.cells.cell_m), got.cells.points_m, got.cells.normals, got.features, got.steadiness)
    assert all(np.isfinite(column).all() for column in columns), f"{target.name}: read, but not finite"
    return "read"


def broken(rng: np.random.Generator, target: Target, valid: bytes) -> bytes:
    """The file with one to four things wrong with it."""
    if target.inside is not None and rng.random() < 0.7:
        return target.inside(rng, valid, _break)
    return _break(rng, valid)


def _break(rng: np.random.Generator, content: bytes) -> bytes:
    for _ in range(min(int(rng.geometric(0.6)), 4)):
        content = MUTATIONS[int(rng.integers(len(MUTATIONS)))](rng, content)
    return content


def _in_gzip(rng: np.random.Generator, content: bytes, change: Mutation) -> bytes:
    return gzip.compress(change(rng, gzip.decompress(content)), 1)


def _in_streams(rng: np.random.Generator, content: bytes, change: Mutation) -> bytes:
    """One attribute is broken before it is packed; the table says how long it became, packed."""
    head, table = content[:32], [list(row) for row in struct.iter_unpack("<QQ", content[32 : 32 + 16 * content[15]])]
    at, streams = 32 + 16 * len(table), []
    for size, _ in table:
        streams.append(content[at : at + size])
        at += size
    which = int(rng.integers(len(streams)))
    streams[which] = zstd.compress(change(rng, zstd.decompress(streams[which])))
    table[which][0] = len(streams[which])
    return head + b"".join(struct.pack("<QQ", *row) for row in table) + b"".join(streams)


def _in_zip(rng: np.random.Generator, content: bytes, change: Mutation) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[int(rng.integers(len(members)))]
    members[name] = change(rng, members[name])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return stream.getvalue()


def _in_png(rng: np.random.Generator, content: bytes, change: Mutation) -> bytes:
    """One chunk is broken: a name and a body, or the pixels in it."""
    chunks, at = [], 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append(content[at + 4 : at + 8 + size])
        at += 12 + size
    which = int(rng.integers(len(chunks)))
    if chunks[which].startswith(b"IDAT"):
        chunks[which] = b"IDAT" + zlib.compress(change(rng, zlib.decompress(chunks[which][4:])))
    else:
        chunks[which] = change(rng, chunks[which]).ljust(4, b"x")
    framed = ((len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks)
    return content[:8] + b"".join(framed)


def _splat_files(folder: Path) -> list[Target]:
    points = np.random.default_rng(1).normal(0.0, 1.0, (20, 3))
    small, large = splats_at(points, 0), splats_at(points, 3)
    write_splats(folder / "small.ply", small)
    write_splats(folder / "large.ply", large)
    write_splats(folder / "small.spz", small)
    write_splats(folder / "large.spz", large)
    for name in ("small", "large"):
        (folder / f"{name}_4.spz").write_bytes(in_streams((folder / f"{name}.spz").read_bytes()))
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
    in_zstd = ("small_4.spz", "large_4.spz")
    return [
        Target(
            name,
            folder / name,
            lambda name=name: read_splats(folder / name),  # type: ignore[misc]
            _in_gzip if name.endswith(".spz") else None,
        )
        for name in names
    ] + [
        Target(name, folder / name, lambda name=name: read_splats(folder / name), _in_streams)  # type: ignore[misc]
        for name in in_zstd
    ]


def _bundle_files(folder: Path) -> list[Target]:
    splats = splats_at(np.random.default_rng(2).normal(0.0, 1.0, (12, 3)), 0)
    sfm = write_model(folder / "sfm", photos(2))
    _write_points(sfm)
    SceneBundle(
        name="desk",
        splats=splats,
        frame_id="desk",
        up=np.array([0.0, 0.0, 1.0]),
        registration=Registration("world", Sim3(0.5, [1.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), 1.0, 0.1),
        cameras=tuple(photos(2)),
        viewpoints_m=np.array([[0.0, 0.0, 1.0]]),
        sfm=Sfm(sfm, Sim3.identity()),
        material_names=("wood", "metal"),
        labels=np.zeros(len(splats), np.uint8),
    ).save(folder)
    names = ("scene.yaml", "labels.npy", "scene.spz")
    found = [Target(f"bundle's {name}", folder / name, lambda: SceneBundle.load(folder)) for name in names]
    bundle = SceneBundle.load(folder)
    descriptors, baked = folder / "sfm/descriptors.npz", folder / "features/baked.npz"
    rng, view = np.random.default_rng(3), LocalView()
    cells = SurfaceCells(0.05, rng.normal(0.0, 1.0, (6, 3)), np.tile([0.0, 0.0, 1.0], (6, 1)))
    features = rng.normal(0.0, 1.0, (6, Encoder.dim)).astype(np.float32)
    BakedFeatures(cells, features, Encoder.name, identity(bundle, view)).save(baked)
    return [
        *found,
        Target("descriptors.npz", descriptors, lambda: Localizer(bundle), _in_zip),
        Target("baked features", baked, lambda: BakedFeatures.load(baked, bundle, Encoder(), view), _in_zip),
    ]


def _write_points(model: Path, text: bool = False) -> None:
    """Five points of a COLMAP model and what they look like."""
    rng = np.random.default_rng(4)
    places = rng.normal(0.0, 1.0, (5, 3))
    if text:
        lines = (f"{i} {x} {y} {z} 9 9 9 0.5 1 0\n" for i, (x, y, z) in enumerate(places, 1))
        (model / "points3D.txt").write_text("".join(lines))
    else:
        rows = (struct.pack("<Q3d3BdQII", i, *place, 9, 9, 9, 0.5, 1, 1, 0) for i, place in enumerate(places, 1))
        (model / "points3D.bin").write_bytes(struct.pack("<Q", 5) + b"".join(rows))
    descriptors = rng.integers(0, 256, (10, 128), np.uint8)
    np.savez_compressed(model / "descriptors.npz", descriptors=descriptors, point3d_ids=np.repeat(np.arange(1, 6), 2))


def _registration_files(folder: Path) -> list[Target]:
    photo_folder = folder / "images"
    photo_folder.mkdir(parents=True)
    points = np.random.default_rng(7).normal(0.0, 1.0, (8, 3))
    clouds = {name: folder / name for name in ("cloud.npy", "cloud.ply", "ascii.ply")}
    np.save(clouds["cloud.npy"], points)
    header = "ply\nformat {}\nelement vertex 8\nproperty float x\nproperty double y\nproperty float z\nend_header\n"
    rows = b"".join(struct.pack("<fdf", *point) for point in points)
    clouds["cloud.ply"].write_bytes(header.format("binary_little_endian 1.0").encode() + rows)
    text = "".join(f"{x} {y} {z}\n" for x, y, z in points)
    clouds["ascii.ply"].write_text(header.format("ascii 1.0") + text)

    table, listed = folder / "pairs.csv", folder / "pairs.yaml"
    lines = [",".join((f"corner {i}", *map(str, (*point, *point)))) for i, point in enumerate(points)]
    table.write_text("\n".join((",".join(COLUMNS), *lines)))
    pairs = [{"name": f"corner {i}", "splat": p, "robot": list(p)} for i, p in enumerate(points.tolist())]
    listed.write_text(yaml.safe_dump(pairs))

    pictures = {name: photo_folder / f"photo.{name}" for name in ("jpg", "png", "tif")}
    picture = Image.fromarray(np.random.default_rng(8).integers(0, 256, (12, 16, 3), np.uint8))
    for path in pictures.values():
        picture.save(path)
    camera = {"width": 16, "height": 12, "fx": 10.0, "fy": 10.0, "cx": 8.0, "cy": 6.0}
    lens = camera | {"distortion_model": "plumb_bob", "distortion": [0.1, 0.0, 0.0, 0.0, 0.0]}
    pose = {"position_m": [0.0, 1.0, 2.0], "rotation_wxyz": [1.0, 0.0, 0.0, 0.0]}
    images = [{"file": "photo.png", **pose}, {"file": "photo.jpg", **pose, "camera": lens}]
    poses = photo_folder / "poses.yaml"
    poses.write_text(yaml.safe_dump({"camera": camera, "images": images}))
    return [
        *(Target(f"point {name}", path, lambda path=path: read_cloud(path)) for name, path in clouds.items()),  # type: ignore[misc]
        Target("pairs.csv", table, lambda: read_pairs(table)),
        Target("pairs.yaml", listed, lambda: read_pairs(listed)),
        Target("poses.yaml", poses, lambda: read_image_folder(photo_folder)),
        *(
            Target(path.name, path, lambda path=path: read_pixels(path), _in_png if name == "png" else None)  # type: ignore[misc]
            for name, path in pictures.items()
        ),
    ]


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
