"""Splats in .spz files, Niantic's packed format, versions 2 to 4."""

from __future__ import annotations

import gzip
import struct
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.ply import BLOCK, Columns
from hearing_hands_ros.scene.spz_streams import find_streams, unpack_streams

MAGIC = 0x5053474E
HEADER = struct.Struct("<IIIBBBB")  # magic, version, Gaussians, degree, fractional bits, flags, reserved
STREAMS_HEADER = struct.Struct("<IIIBBBBI12x")  # of version 4: streams instead of reserved, and where their table is
GZIP_VERSIONS = (2, 3)
FRACTIONAL_BITS = range(1, 25)
HIGHER = (0, 3, 8, 15)  # coefficients of degree 0 to 3 without the constant one
TURN_BYTES = {2: 3, 3: 4, 4: 4}
BEST_RATIO = 1032  # of deflate; what claims to be packed more tightly is not there, nor does zstd pack splats so
EXTRA_BYTES = 1 << 20  # of extensions after the Gaussians
COLOUR_SCALE = 0.15
COMPRESSION = 6  # level 9 takes three times as long for 1 %


@dataclass(frozen=True)
class SpzFile:
    """An .spz file whose header holds against its size.

    Attributes:
        packed: The file.
        who: Begins messages.
        count: Gaussians.
        sh_degree: 0 to 3.
        version: 2 to 4.
        fractional_bits: After the point of positions.
        streams: Where each attribute of version 4 is in the file.
    """

    packed: bytes
    who: str
    count: int
    sh_degree: int
    version: int
    fractional_bits: int
    streams: tuple[slice, ...] = ()

    @property
    def overhead(self) -> float:
        """Peak memory while reading, over the arrays that stay."""
        return 2.0

    @property
    def attribute_bytes(self) -> tuple[int, ...]:
        """Positions, opacities, colours, sizes, rotations and higher harmonics of all Gaussians, unpacked."""
        each = (9, 1, 3, 3, TURN_BYTES[self.version], 3 * HIGHER[self.sh_degree])
        return tuple(self.count * size for size in each)

    def read(self, coefficients: int) -> Columns:
        """The Gaussians, with so many spherical harmonics each.

        Raises:
            ValueError: The file ends early, or its checksum is wrong.
        """
        n = self.count
        places, alphas, colours, scales, turns, higher = self._attributes()
        fixed = np.zeros((3 * n, 4), np.uint8)
        fixed[:, 1:] = places.reshape(-1, 3)  # one byte too high, so that the sign arrives where it belongs
        means = (fixed.view("<i4") >> 8).astype(np.float32).reshape(n, 3) * np.float32(0.5**self.fractional_bits)
        sh = np.empty((n, coefficients, 3), np.float32)
        sh[:, 0] = (colours.reshape(n, 3) / np.float32(255.0) - np.float32(0.5)) / np.float32(COLOUR_SCALE)
        if coefficients > 1:
            for first in range(0, n, BLOCK):
                part = higher.reshape(n, -1, 3)[first : first + BLOCK, : coefficients - 1]
                np.subtract(part / np.float32(128.0), np.float32(1.0), out=sh[first : first + BLOCK, 1:])
        return {
            "means": means,
            "scales": np.exp(scales.reshape(n, 3) / np.float32(16.0) - np.float32(10.0)),
            "quats_wxyz": _turns_2(turns) if self.version == 2 else _turns_3(turns),
            "opacities": alphas / np.float32(255.0),
            "sh": sh,
        }

    def _attributes(self) -> list[NDArray[np.uint8]]:
        sizes = self.attribute_bytes
        if self.streams:
            return unpack_streams(self.packed, self.streams, sizes, self.who)
        body = np.frombuffer(self._gunzip(), np.uint8, offset=HEADER.size)
        return np.split(body, np.cumsum(sizes))[:-1]

    def _gunzip(self) -> bytes:
        wanted = HEADER.size + sum(self.attribute_bytes)
        unpacker = zlib.decompressobj(31)
        try:
            body = unpacker.decompress(self.packed, wanted + EXTRA_BYTES)
        except zlib.error as error:
            raise ValueError(f"{self.who}: wanted a whole .spz, got gzip that is broken: {error}") from error
        if len(body) < wanted:
            got = f"got {len(body)}; the file was cut short, or its header lies"
            raise ValueError(f"{self.who}: wanted {wanted} bytes for {self.count} Gaussians, {got}")
        if not unpacker.eof:
            got = "got one that was cut short" if not unpacker.unconsumed_tail else "got more, its header lies"
            raise ValueError(f"{self.who}: wanted a file that ends after {self.count} Gaussians, {got}")
        return body


def open_spz(stream: BinaryIO, who: str) -> SpzFile:
    """Read the header and hold it against the size of the file; nothing of that size is allocated.

    Raises:
        ValueError: It is no .spz, or of a version that is not read here, or its header cannot be true.
    """
    packed = stream.read()
    if packed[:4] == struct.pack("<I", MAGIC):
        return _open_streams(packed, who)
    try:
        head = zlib.decompressobj(31).decompress(packed, HEADER.size)
    except zlib.error as error:
        raise ValueError(f"{who}: wanted a gzip stream, got {packed[:8]!r}: {error}") from error
    if len(head) < HEADER.size:
        raise ValueError(f"{who}: wanted a header of {HEADER.size} bytes, got {len(head)}; the file was cut short")
    magic, version, count, degree, bits, _, _ = HEADER.unpack(head)
    if magic != MAGIC:
        raise ValueError(f"{who}: wanted .spz, got another file in gzip (it begins with {head[:4]!r})")
    if version not in GZIP_VERSIONS:
        raise ValueError(f"{who}: wanted .spz of version 2, 3 or 4, got version {version}")
    return _checked(packed, who, count, degree, version, bits)


def _open_streams(packed: bytes, who: str) -> SpzFile:
    if len(packed) < STREAMS_HEADER.size:
        wanted = f"wanted a header of {STREAMS_HEADER.size} bytes"
        raise ValueError(f"{who}: {wanted}, got {len(packed)}; the file was cut short")
    _, version, count, degree, bits, _, streams, table = STREAMS_HEADER.unpack_from(packed)
    if version != 4:
        raise ValueError(f"{who}: wanted .spz of version 2 or 3 in gzip or 4 without, got version {version} without")
    file = _checked(packed, who, count, degree, version, bits)
    if table < STREAMS_HEADER.size:
        raise ValueError(f"{who}: wanted a table of streams after the header, got one at byte {table}; its header lies")
    return replace(file, streams=find_streams(packed, table, streams, file.attribute_bytes, who))


def _checked(packed: bytes, who: str, count: int, degree: int, version: int, bits: int) -> SpzFile:
    if count == 0:
        raise ValueError(f"{who}: file has 0 Gaussians, expected at least 1")
    if degree >= len(HIGHER) or bits not in FRACTIONAL_BITS:
        got = f"degree {degree}, {bits} bits"
        raise ValueError(f"{who}: wanted spherical harmonics of degree 0 to 3 and 1 to 24 fractional bits, got {got}")
    file = SpzFile(packed, who, count, degree, version, bits)
    wanted, most = sum(file.attribute_bytes), BEST_RATIO * len(packed)
    if wanted > most:
        got = f"got a file that unpacks to {most} at most; its header lies"
        raise ValueError(f"{who}: wanted {wanted} bytes for {count} Gaussians, {got}")
    return file


def write_spz(path: Path, columns: Columns, who: str) -> None:
    """Write version 3; equal scenes are equal files.

    Raises:
        ValueError: Gaussians lie farther out than the format can say.
    """
    import gsply  # compiles its decoder, which reading need not wait for

    means, sh = columns["means"], columns["sh"]
    # 24-bit fixed point: as many bits after the point as the farthest Gaussian leaves.
    reach = float(np.abs(means).max())
    bits = int(np.clip(np.floor(23 - np.log2(max(reach, 1e-6) * 1.001)), 0, 16))
    if bits < 1:
        raise ValueError(f"{who}: .spz wants positions within 4e6 units of the origin, got one at {reach:g}")
    data = gsply.GSData.from_arrays(
        means=means,
        scales=columns["log_scales"],
        quats=columns["quats_wxyz"],
        opacities=columns["logits"],
        sh0=np.ascontiguousarray(sh[:, 0]),
        shN=np.ascontiguousarray(sh[:, 1:]) if sh.shape[1] > 1 else None,
        format="ply",
    )
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "scene.spz"
        gsply.write_spz(packed, data, fractional_bits=bits)
        # gsply's gzip header may hold the time of day; packed again, equal scenes are equal files.
        path.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()), compresslevel=COMPRESSION, mtime=0))


def _turns_2(turns: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 4) quaternions of their three imaginary parts, 8 bits each."""
    xyz = turns.reshape(-1, 3) / np.float32(127.5) - np.float32(1.0)
    w = np.sqrt(np.maximum(1.0 - np.einsum("ni,ni->n", xyz, xyz), 0.0))
    return np.concatenate([w[:, None], xyz], axis=1).astype(np.float32)


def _turns_3(turns: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 4) quaternions of their three smallest parts, 10 bits each, and 2 bits for which is the largest."""
    packed = np.ascontiguousarray(turns).view("<u4").copy()
    largest = packed >> 30
    xyzw = np.zeros((len(packed), 4), np.float32)
    for axis in (3, 2, 1, 0):
        small = largest != axis
        size = np.float32(np.sqrt(0.5)) * (packed & 511) / np.float32(511.0)
        xyzw[:, axis] = np.where(small, np.where(packed & 512, -size, size), 0.0)
        packed = np.where(small, packed >> 10, packed)
    rest = np.sqrt(np.maximum(1.0 - np.einsum("ni,ni->n", xyzw, xyzw), 0.0))
    xyzw[np.arange(len(xyzw)), largest] = rest
    return xyzw[:, [3, 0, 1, 2]]
