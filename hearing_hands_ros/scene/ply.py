"""Splats in .ply files: those that 3D Gaussian splatting writes, and PlayCanvas' compressed ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[np.float32]]

HEADER_BYTES = 65536  # more than any splat header; a file without `end_header` in them has none
BLOCK = 4096  # Gaussians at a time: what is being turned round fits in the cache
REST_COUNTS = (0, 9, 24, 45)  # higher harmonics of degree 0 to 3, three colours each
TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
PLACE, CONSTANT, SIZE, TURN = ("x", "y", "z"), ("f_dc_0", "f_dc_1", "f_dc_2"), "scale_{}", "rot_{}"
REQUIRED = (*PLACE, *CONSTANT, "opacity", *(SIZE.format(i) for i in range(3)), *(TURN.format(i) for i in range(4)))
CHUNK_ROWS = 256
CHUNK = tuple(
    f"{end}_{axis}" for axes in (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
    for end in ("min", "max") for axis in axes
)  # fmt: skip
PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")


@dataclass(frozen=True)
class Element:
    """A table of the file.

    Attributes:
        name: Such as `vertex`.
        count: Rows.
        types: Type of each property by its name, in the order of the file.
    """

    name: str
    count: int
    types: Mapping[str, str]

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return sum(int(kind[1]) for kind in self.types.values())


@dataclass(frozen=True)
class PlyFile:
    """A .ply file whose header holds against its size.

    Attributes:
        stream: The open file.
        who: Begins messages.
        elements: In the order of the file.
        order: Byte order as NumPy writes it.
        start: Where the header ends, bytes.
    """

    stream: BinaryIO
    who: str
    elements: Mapping[str, Element]
    order: str
    start: int

    @property
    def count(self) -> int:
        """Gaussians."""
        return self.elements["vertex"].count

    @property
    def compressed(self) -> bool:
        """Whether it is PlayCanvas' format."""
        return "chunk" in self.elements

    @property
    def overhead(self) -> float:
        """Peak memory while reading, over the arrays that stay."""
        return 3.0 if self.compressed else 1.5

    @property
    def rest(self) -> int:
        """How many numbers of higher harmonics a Gaussian has."""
        table = self.elements.get("sh") if self.compressed else self.elements["vertex"]
        return sum(name.startswith("f_rest_") for name in table.types) if table else 0

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return REST_COUNTS.index(self.rest)

    def read(self, coefficients: int) -> Columns:
        """The Gaussians, with so many spherical harmonics each.

        Raises:
            ValueError: The file ends early.
        """
        return self._read_compressed(coefficients) if self.compressed else self._read_plain(coefficients)

    def _read_plain(self, coefficients: int) -> Columns:
        vertex = self.elements["vertex"]
        columns = _empty(self.count, coefficients)
        rest_names = [f"f_rest_{i}" for i in range(self.rest)] if coefficients > 1 else []
        names = [*REQUIRED, *rest_names]
        record = np.dtype([(name, self.order + kind) for name, kind in vertex.types.items()])
        at = {name: index for index, name in enumerate(vertex.types)}
        uniform = set(vertex.types.values()) == {"f4"}
        self.stream.seek(self.start)
        for first in range(0, self.count, BLOCK):
            rows = min(BLOCK, self.count - first)
            block = np.fromfile(self.stream, record, rows)
            if len(block) != rows:
                raise ValueError(f"{self.who}: wanted {self.count} Gaussians, got the end of the file at {first}")
            if uniform:
                table = _columns(block.view(self.order + "f4").reshape(rows, -1), [at[name] for name in names])
            else:
                with np.errstate(over="ignore"):
                    table = np.stack([block[name].astype(np.float32) for name in names], axis=1)
            _take(columns, slice(first, first + rows), table, len(rest_names) // 3)
        return columns

    def _read_compressed(self, coefficients: int) -> Columns:
        import gsply  # compiles its decoder, which plain files need not wait for

        self.stream.seek(0)
        try:
            data = gsply.decompress_from_bytes(self.stream.read())
        except Exception as error:  # gsply parses what it is given and lets whatever goes wrong inside it escape
            raise ValueError(f"{self.who}: wanted a compressed .ply, got one that cannot be read: {error}") from error
        columns = _empty(self.count, coefficients)
        columns["means"][:], columns["quats_wxyz"][:] = data.means, data.quats
        with np.errstate(over="ignore"):
            columns["scales"][:] = np.exp(data.scales)
            columns["opacities"][:] = 1.0 / (1.0 + np.exp(-data.opacities.reshape(-1)))
        columns["sh"][:, 0] = data.sh0
        if coefficients > 1:
            columns["sh"][:, 1:] = data.shN[:, : coefficients - 1]
        return columns


def open_ply(stream: BinaryIO, who: str) -> PlyFile:
    """Read the header and hold it against the size of the file; nothing of that size is allocated.

    Args:
        stream: At its beginning, seekable.
        who: Begins messages.

    Raises:
        ValueError: It is no .ply, no splats, of wrong types, or shorter or longer than its header says.
    """
    head = stream.read(HEADER_BYTES)
    if not head.startswith(b"ply"):
        raise ValueError(f"{who}: wanted a file that begins with 'ply', got {head[:8]!r}")
    end = head.find(b"\nend_header")
    start = head.find(b"\n", end + 1) + 1
    if end < 0 or start == 0:
        raise ValueError(f"{who}: wanted a header that ends with 'end_header', got none in {len(head)} bytes")
    order, elements = _parse(head[:end].decode("ascii", "replace").splitlines()[1:], who)
    vertex = elements.get("vertex")
    if vertex is None:
        raise ValueError(f"{who}: wanted a header with 'element vertex <number>', got {sorted(elements) or 'none'}")
    if vertex.count == 0:
        raise ValueError(f"{who}: file has 0 Gaussians, expected at least 1")
    wrong = _compressed_faults(elements, order) if "chunk" in elements else _plain_faults(elements)
    if wrong:
        raise ValueError(f"{who}: wanted the properties of Gaussians; " + "; ".join(wrong))
    wanted = sum(element.count * element.row_bytes for element in elements.values())
    got = stream.seek(0, 2) - start
    if got != wanted:
        why = "the file was cut short, or its header lies" if got < wanted else "its header lies"
        raise ValueError(f"{who}: wanted {wanted} bytes for {vertex.count} Gaussians, got {got}; {why}")
    return PlyFile(stream, who, elements, order, start)


def write_ply(path: Path, columns: Columns) -> None:
    """Write the layout that 3D Gaussian splatting itself writes, without its empty normals."""
    count, coefficients = columns["sh"].shape[:2]
    rest = [f"f_rest_{i}" for i in range(3 * (coefficients - 1))]
    names = [*REQUIRED[:6], *rest, *REQUIRED[6:]]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property float {name}" for name in names]
    with path.open("wb") as stream:
        stream.write("\n".join([*lines, "end_header", ""]).encode())
        for first in range(0, count, BLOCK):
            part = {name: column[first : first + BLOCK] for name, column in columns.items()}
            rows = len(part["means"])
            higher = part["sh"][:, 1:].transpose(0, 2, 1).reshape(rows, -1)
            place, turn = [part["means"], part["sh"][:, 0], higher], [part["log_scales"], part["quats_wxyz"]]
            table = np.concatenate([*place, part["logits"].reshape(rows, 1), *turn], axis=1)
            stream.write(table.astype("<f4", copy=False).tobytes())


def _parse(lines: list[str], who: str) -> tuple[str, dict[str, Element]]:
    order = ""
    elements: dict[str, Element] = {}
    types: dict[str, str] = {}
    for line in lines:
        words = line.split()
        if not words or words[0] in ("comment", "obj_info"):
            continue
        if words[0] == "format" and len(words) == 3 and words[1] in ORDERS:
            order = ORDERS[words[1]]
        elif words[0] == "element" and len(words) == 3 and words[2].isascii() and words[2].isdigit():
            types = {}
            if words[1] in elements:
                raise ValueError(f"{who}: wanted each element once in the header, got {words[1]!r} twice")
            elements[words[1]] = Element(words[1], int(words[2][:20]), types)
        elif words[0] == "property" and len(words) == 3 and words[1] in TYPES and elements:
            if words[2] in types:
                raise ValueError(f"{who}: wanted each property once in the header, got {words[2]!r} twice")
            types[words[2]] = TYPES[words[1]]
        else:
            wanted = "a binary format, elements and their properties in the header (no text, no lists)"
            raise ValueError(f"{who}: wanted {wanted}, got {line[:80]!r}")
    if not order:
        raise ValueError(f"{who}: wanted a header with 'format binary_little_endian 1.0', got none")
    return order, elements


def _plain_faults(elements: Mapping[str, Element]) -> list[str]:
    types = elements["vertex"].types
    if next(iter(elements)) != "vertex":
        return [f"wanted vertex as first element, got {next(iter(elements))}"]
    rest = sum(name.startswith("f_rest_") for name in types)
    wrong = []
    if rest not in REST_COUNTS:
        wrong.append(f"f_rest_*: wanted {', '.join(map(str, REST_COUNTS))} of them (degree 0 to 3), got {rest}")
    names = (*REQUIRED, *(f"f_rest_{i}" for i in range(min(rest, REST_COUNTS[-1]))))
    missing = [name for name in names if name not in types]
    if missing:
        wrong.append(f"missing: {', '.join(missing)}")
    odd = [f"{name} ({types[name]})" for name in names if types.get(name, "f4") not in ("f4", "f8")]
    if odd:
        wrong.append(f"wanted float or double, got others: {', '.join(odd)}")
    return wrong


def _compressed_faults(elements: Mapping[str, Element], order: str) -> list[str]:
    wrong = []
    if order != "<":
        wrong.append("compressed: wanted little-endian, got big-endian")
    layouts = {"chunk": dict.fromkeys(CHUNK, "f4"), "vertex": dict.fromkeys(PACKED, "u4")}
    if "sh" in elements:
        rest = len(elements["sh"].types)
        layouts["sh"] = {f"f_rest_{i}": "u1" for i in range(rest)}
        if rest not in REST_COUNTS[1:]:
            wrong.append(f"f_rest_*: wanted 9, 24 or 45 of them, got {rest}")
        if elements["sh"].count != elements["vertex"].count:
            wrong.append(f"sh: wanted {elements['vertex'].count} rows, got {elements['sh'].count}")
    if list(elements) != list(layouts):
        return [f"compressed: wanted the elements {', '.join(layouts)}, got {', '.join(elements)}"]
    wrong += [
        f"{name}: wanted {len(layout)} properties as PlayCanvas writes them, got {len(elements[name].types)}, or others"
        for name, layout in layouts.items()
        if list(elements[name].types.items()) != list(layout.items())
    ]
    chunks = -(-elements["vertex"].count // CHUNK_ROWS)
    if elements["chunk"].count != chunks:
        wrong.append(f"chunk: wanted {chunks} rows, one for {CHUNK_ROWS} Gaussians, got {elements['chunk'].count}")
    return wrong


def _empty(count: int, coefficients: int) -> Columns:
    shapes: dict[str, tuple[int, ...]] = {"means": (3,), "scales": (3,), "quats_wxyz": (4,), "opacities": ()}
    shapes["sh"] = (coefficients, 3)
    return {name: np.empty((count, *shape), np.float32) for name, shape in shapes.items()}


def _columns(table: NDArray[np.float32], which: list[int]) -> NDArray[np.float32]:
    """Columns in the wanted order, in the machine's byte order."""
    return np.asarray(table[:, which], np.float32)


def _take(columns: Columns, rows: slice, table: NDArray[np.float32], higher: int) -> None:
    """Put a block, its columns as REQUIRED and then the higher harmonics, where it belongs."""
    columns["means"][rows] = table[:, 0:3]
    columns["sh"][rows, 0] = table[:, 3:6]
    with np.errstate(over="ignore"):
        columns["opacities"][rows] = 1.0 / (1.0 + np.exp(-table[:, 6]))
        columns["scales"][rows] = np.exp(table[:, 7:10])
    columns["quats_wxyz"][rows] = table[:, 10:14]
    kept = columns["sh"].shape[1] - 1
    if kept > 0:
        columns["sh"][rows, 1:] = table[:, 14:].reshape(len(table), 3, higher).transpose(0, 2, 1)[:, :kept]
