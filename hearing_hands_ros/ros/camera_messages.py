"""Camera messages to arrays; they may come from rclpy or from a recording."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.registration.localize import Lens
from hearing_hands_ros.scene.registration.pixels import read_pixels

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
CHANNELS = {"mono8": 1, "8UC1": 1, "rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4}
NANOSECONDS = 1_000_000_000
NO_STAMP = "no stamp, so nobody knows where it was taken"  # TF takes a time of 0 for the latest


def stamp_ns_of(message: Any) -> int:
    """Time of a message with a header, ns."""
    return int(message.header.stamp.sec) * NANOSECONDS + int(message.header.stamp.nanosec)


def stamp_name(message: Any) -> str:
    """What a message with a header is called in a report."""
    return f"{int(message.header.stamp.sec)}.{int(message.header.stamp.nanosec):09d}"


def image_of(message: Any) -> NDArray[np.uint8]:
    """Pixels of a sensor_msgs Image or CompressedImage.

    Returns:
        (H, W) or (H, W, 3) RGB.

    Raises:
        ValueError: The encoding is none of ours, or the data is too short or damaged.
    """
    if hasattr(message, "format"):
        try:
            return read_pixels(io.BytesIO(bytes(message.data)))
        except ValueError as error:
            raise ValueError(f"CompressedImage: wanted a JPEG or PNG, got {message.format!r}: {error}") from error
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        raise ValueError(f"Image: wanted an encoding out of {', '.join(CHANNELS)}, got {message.encoding!r}")
    data = np.frombuffer(bytes(message.data), np.uint8)
    height, width, step = int(message.height), int(message.width), int(message.step)
    if step < width * channels or len(data) < height * step:
        raise ValueError(f"Image: wanted {height} rows of {step} bytes for {width} pixels, got {len(data)} bytes")
    rows = data[: height * step].reshape(height, step)[:, : width * channels].reshape(height, width, channels)
    if channels == 1:
        return rows[..., 0]
    return rows[..., 2::-1] if message.encoding.startswith("bgr") or message.encoding == "8UC3" else rows[..., :3]


def lens_of(message: Any, rectified: bool) -> Lens:
    """Lens of a sensor_msgs CameraInfo.

    Args:
        message: The message.
        rectified: The images are: free of distortion, with the projection matrix P instead of K.

    Raises:
        ValueError: It is not calibrated, or its distortion model is none of ours.
    """
    if rectified:
        fx, cx, fy, cy = (float(message.p[index]) for index in (0, 2, 5, 6))
        distortion: tuple[float, ...] = ()
    else:
        fx, cx, fy, cy = (float(message.k[index]) for index in (0, 2, 4, 5))
        distortion = tuple(float(value) for value in message.d)
    if not fx > 0.0:
        raise ValueError(f"CameraInfo: wanted a calibrated camera, got a focal length of {fx}")
    model = message.distortion_model if any(distortion) else ""
    # ROS counts pixels from the middle of the first one, we from its corner.
    return Lens(int(message.width), int(message.height), fx, fy, cx + 0.5, cy + 0.5, model, distortion if model else ())
