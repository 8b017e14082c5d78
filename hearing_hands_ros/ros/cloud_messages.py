"""Point cloud messages to arrays; they may come from rclpy or from a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # of sensor_msgs/PointField


def xyz_of(message: Any) -> NDArray[np.float64]:
    """Points of a sensor_msgs PointCloud2; its other fields are not looked at.

    Returns:
        (M, 3), those with NaN or infinity left out.

    Raises:
        ValueError: It does not have x, y and z once each, as numbers inside a point, or its data is too short.
    """
    width, height, step = int(message.width), int(message.height), int(message.point_step)
    layout = _layout(message.fields, step, ">" if message.is_bigendian else "<")
    row_step = int(message.row_step) if height > 1 else width * step
    data = np.frombuffer(bytes(message.data), np.uint8)
    if row_step < width * step or len(data) < height * row_step:
        raise ValueError(
            f"PointCloud2: wanted {height} rows of {width} points of {step} bytes, got rows of {row_step} bytes and "
            f"{len(data)} bytes in all"
        )
    rows = data[: height * row_step].reshape(height, row_step)[:, : width * step]
    points = np.ascontiguousarray(rows).reshape(-1).view(layout)
    xyz = np.stack([points[axis].astype(np.float64) for axis in "xyz"], axis=1)
    return xyz[np.isfinite(xyz).all(axis=1)]


def _layout(fields: Any, step: int, order: str) -> np.dtype[Any]:
    """Where x, y and z are in a point."""
    named = [(field.name, int(field.datatype), int(field.count), int(field.offset)) for field in fields]
    axes = sorted(entry for entry in named if entry[0] in ("x", "y", "z"))
    if [name for name, *_ in axes] != ["x", "y", "z"]:
        raise ValueError(f"PointCloud2: wanted the fields x, y and z once each, got {[name for name, *_ in named]}")
    for name, datatype, count, offset in axes:
        if datatype not in TYPES or count != 1 or offset + np.dtype(TYPES[datatype]).itemsize > step:
            raise ValueError(
                f"PointCloud2: {name}: wanted one number of a datatype from 1 to 8 inside a point of {step} bytes, got "
                f"{count} of datatype {datatype} at byte {offset}"
            )
    formats = [order + TYPES[datatype] for _, datatype, _, _ in axes]
    return np.dtype({"names": list("xyz"), "formats": formats, "offsets": [axis[3] for axis in axes], "itemsize": step})
