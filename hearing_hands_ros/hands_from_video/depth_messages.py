"""Depth images of ROS to metres."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hearing_hands_ros.scene.registration.pixels import MOST_PIXELS

MILLIMETRES, METRES = ("16UC1", "mono16"), "32FC1"
COMPRESSED_HEADER_BYTES = 12  # compressed_depth_image_transport: what it is, and two numbers for quantised metres


def is_depth(message: Any) -> bool:
    """Whether an Image or CompressedImage holds depth."""
    if hasattr(message, "format"):
        return "compressedDepth" in message.format
    return message.encoding in (*MILLIMETRES, METRES)


def depth_of(message: Any) -> NDArray[np.float32]:
    """Metres of an Image (16UC1 in mm, 32FC1 in m) or of a CompressedImage of compressedDepth in mm.

    Returns:
        (H, W), NaN where the camera knows nothing.

    Raises:
        ValueError: It is none of these, or the data is too short or damaged.
    """
    if hasattr(message, "format"):
        return _metres(_compressed(message))
    kind = METRES if message.encoding == METRES else "16UC1"
    dtype = np.dtype(np.float32 if kind == METRES else np.uint16).newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = bytes(message.data)
    if not is_depth(message) or step < width * dtype.itemsize or len(data) < height * step:
        wanted = f"{height} x {width} in 16UC1 or 32FC1"
        raise ValueError(f"depth image: wanted {wanted}, got {message.encoding!r}, {len(data)} bytes in rows of {step}")
    rows = np.frombuffer(data, np.uint8)[: height * step].reshape(height, step)[:, : width * dtype.itemsize]
    return _metres(np.ascontiguousarray(rows).view(dtype))


def _compressed(message: Any) -> NDArray[np.uint16]:
    if "16UC1" not in message.format or not is_depth(message):
        raise ValueError(f"depth image: wanted '16UC1; compressedDepth', got {message.format!r}")
    try:
        with Image.open(io.BytesIO(bytes(message.data)[COMPRESSED_HEADER_BYTES:]), formats=("PNG",)) as picture:
            if picture.width * picture.height <= MOST_PIXELS and picture.mode.startswith("I"):
                return np.asarray(picture).astype(np.uint16)
            got = f"mode {picture.mode!r}, {picture.width} x {picture.height}"
    except Exception as error:  # Pillow lets out whatever its decoders meet
        raise ValueError(f"depth image: wanted a PNG, got {message.format!r}: {error}") from error
    raise ValueError(f"depth image: wanted 16 bits a pixel, got {got}")


def _metres(values: NDArray[Any]) -> NDArray[np.float32]:
    metres = values.astype(np.float32) if values.dtype.kind == "f" else values.astype(np.float32) * np.float32(1e-3)
    metres[~(np.isfinite(metres) & (metres > 0.0))] = np.nan
    return metres
