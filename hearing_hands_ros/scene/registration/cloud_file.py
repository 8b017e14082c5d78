"""Point clouds in .npy and .ply files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.npy import map_npy
from hearing_hands_ros.scene.ply import HEADER_BYTES, ORDERS, TYPES


def read_cloud(path: str | Path) -> NDArray[np.float64]:
    """(M, 3) points of a file, in its unit.

    Args:
        path: A .npy of (M, 3) or more columns, x, y, z first; or a .ply with a vertex element that has x, y and z.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is something else, or cut short.
    """
    path = Path(path)
    who = f"cloud '{path}'"
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted a .ply or .npy file, got nothing there")
    if path.suffix.lower() == ".ply":
        return _read_ply(who, path)
    if path.suffix.lower() != ".npy":
        raise ValueError(f"{who}: wanted a file that ends in .ply or .npy, got {path.suffix!r}")
    try:
        points = map_npy(path)
    except ValueError as error:
        raise ValueError(f"{who}: {error}") from error
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind not in "fiu":
        raise ValueError(f"{who}: wanted (M, 3) numbers, got {points.dtype} {points.shape}")
    with np.errstate(invalid="ignore"):  # points that a sensor marks as missing by some NaN
        return points[:, :3].astype(np.float64)


def _read_ply(who: str, path: Path) -> NDArray[np.float64]:
    data = path.read_bytes()
    head, mark, _ = data[:HEADER_BYTES].partition(b"end_header\n")
    if not mark or not head.startswith(b"ply"):
        raise ValueError(f"{who}: wanted a .ply header, got none")
    lines = [line.split() for line in head.decode("ascii", "replace").splitlines()]
    order = next((words[1] for words in lines if words[:1] == ["format"] and len(words) > 1), "")
    elements = [index for index, words in enumerate(lines) if words[:1] == ["element"]]
    if not elements or lines[elements[0]][1:2] != ["vertex"] or len(lines[elements[0]]) != 3:
        raise ValueError(f"{who}: wanted 'element vertex <count>' first, got {[lines[index] for index in elements]}")
    count = lines[elements[0]][2]
    end = elements[1] if len(elements) > 1 else len(lines)
    properties = [words for words in lines[elements[0] : end] if words[:1] == ["property"]]
    known = all(len(words) == 3 and words[1] in TYPES for words in properties)
    names = [words[-1] for words in properties]
    if not known or not count.isdigit() or not {"x", "y", "z"} <= set(names) or len(set(names)) != len(names):
        raise ValueError(f"{who}: wanted vertices with numbers x, y and z, got {properties} and count {count!r}")
    body = data[len(head) + len(mark) :]
    if order == "ascii":
        return _ascii(who, body, int(count), [names.index(axis) for axis in "xyz"])
    if order not in ORDERS:
        raise ValueError(f"{who}: wanted format ascii, {' or '.join(ORDERS)}, got {order!r}")
    dtype = np.dtype([(words[2], ORDERS[order] + TYPES[words[1]]) for words in properties])
    if len(body) < int(count) * dtype.itemsize:
        raise ValueError(f"{who}: wanted {count} vertices of {dtype.itemsize} bytes, got {len(body)} bytes")
    table = np.frombuffer(body, dtype, int(count))
    with np.errstate(invalid="ignore"):  # points that a sensor marks as missing by some NaN
        return np.stack([table[axis].astype(np.float64) for axis in "xyz"], axis=1)


def _ascii(who: str, body: bytes, count: int, columns: list[int]) -> NDArray[np.float64]:
    rows = body.decode("ascii", "replace").splitlines()[:count]
    try:
        points = np.array([[float(row.split()[column]) for column in columns] for row in rows])
    except (ValueError, IndexError) as error:
        raise ValueError(f"{who}: wanted numbers, got a row that has others: {error}") from error
    if len(points) != count:
        raise ValueError(f"{who}: wanted {count} vertices, got {len(points)}")
    return points.reshape(-1, 3)
