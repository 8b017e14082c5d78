"""`sensor_msgs_py.point_cloud2` where it is installed, else ours of the same names and meaning.

Written anew from the documentation and observable behaviour of sensor_msgs_py (ROS 2 Jazzy and Kilted).
"""

from __future__ import annotations

import sys
from array import array
from collections import namedtuple
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured, unstructured_to_structured
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField

if TYPE_CHECKING:
    from std_msgs.msg import Header

_TYPES: dict[int, np.dtype[Any]] = {
    PointField.INT8: np.dtype(np.int8),
    PointField.UINT8: np.dtype(np.uint8),
    PointField.INT16: np.dtype(np.int16),
    PointField.UINT16: np.dtype(np.uint16),
    PointField.INT32: np.dtype(np.int32),
    PointField.UINT32: np.dtype(np.uint32),
    PointField.FLOAT32: np.dtype(np.float32),
    PointField.FLOAT64: np.dtype(np.float64),
}


def _dtype_from_fields(fields: Iterable[PointField], point_step: int | None = None) -> np.dtype[Any]:
    """Structured dtype of one point.

    Args:
        fields: Of the cloud. One without a name is called `unnamed_field_<index>`; one of several values becomes
            `<name>_0`, `<name>_1`, ...
        point_step: Bytes from one point to the next; where the last field ends if None.

    Raises:
        AssertionError: Two fields have one name, or a count is 0.
    """
    names: list[str] = []
    formats: list[np.dtype[Any]] = []
    offsets: list[int] = []
    for index, field in enumerate(fields):
        kind = _TYPES[field.datatype]
        name = field.name or f"unnamed_field_{index}"
        _must(field.count > 0, "Can't process fields with count = 0.")
        for part in range(field.count):
            names.append(f"{name}_{part}" if field.count > 1 else name)
            formats.append(kind)
            offsets.append(field.offset + part * kind.itemsize)
    _must(len(set(names)) == len(names), "Duplicate field names are not allowed!")
    layout: dict[str, Any] = {"names": names, "formats": formats, "offsets": offsets}
    if point_step is not None:
        layout["itemsize"] = point_step
    return np.dtype(layout)  # type: ignore[call-overload]


def _read_points(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable[int] | None = None,
    reshape_organized_cloud: bool = False,
) -> NDArray[Any]:
    """Points of a cloud as a structured array.

    Args:
        cloud: The message.
        field_names: Fields that are wanted; all if None.
        skip_nans: Leave out points with a NaN in a wanted field; a cloud that says it is dense is believed.
        uvs: Indices of the points that are wanted, counted after `skip_nans`.
        reshape_organized_cloud: Give a cloud of several rows two axes: (width, height), as sensor_msgs_py does.

    Returns:
        (width * height,) in the machine's byte order; may share its memory with the cloud.

    Raises:
        AssertionError: `cloud` is none, or a wanted field is not in it.
    """
    _must(isinstance(cloud, PointCloud2), "Cloud is not a sensor_msgs.msg.PointCloud2")
    dtype = _dtype_from_fields(cloud.fields, cloud.point_step)
    if bool(cloud.is_bigendian) != (sys.byteorder == "big"):
        dtype = dtype.newbyteorder()
    points: NDArray[Any] = np.ndarray(shape=(cloud.width * cloud.height,), dtype=dtype, buffer=cloud.data)
    if field_names is not None:
        wanted = list(field_names)
        _must(set(wanted) <= set(dtype.names or ()), "Requests field is not in the fields of the PointCloud!")
        points = points[wanted]
    if not points.dtype.isnative:
        points = points.astype(points.dtype.newbyteorder("="))
    if skip_nans and not cloud.is_dense:
        points = points[~np.any([np.isnan(points[name]) for name in points.dtype.names or ()], axis=0)]
    if uvs is not None:
        points = points[uvs if isinstance(uvs, np.ndarray) else np.fromiter(uvs, int)]
    if reshape_organized_cloud and cloud.height > 1:
        points = points.reshape(cloud.width, cloud.height)
    return points


def _read_points_numpy(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable[int] | None = None,
    reshape_organized_cloud: bool = False,
) -> NDArray[Any]:
    """Points of a cloud as a plain (points, fields) array; arguments as those of `read_points`.

    Raises:
        AssertionError: The cloud's fields are not all of one type.
    """
    _must(
        all(cloud.fields[0].datatype == field.datatype for field in cloud.fields[1:]),
        "All fields need to have the same datatype. Use `read_points()` otherwise.",
    )
    return np.asarray(
        structured_to_unstructured(_read_points(cloud, field_names, skip_nans, uvs, reshape_organized_cloud))
    )


def _read_points_list(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable[int] | None = None,
) -> list[Any]:
    """Points of a cloud as a list of named tuples; arguments as those of `read_points`. Slow."""
    points = _read_points(cloud, field_names, skip_nans, uvs)
    kind = namedtuple("Point", points.dtype.names or ())  # type: ignore[misc]
    return [kind._make(point) for point in points]


def _create_cloud(header: Header, fields: Iterable[PointField], points: Any, step: int | None = None) -> PointCloud2:
    """A cloud of points.

    Args:
        header: Stamp and frame.
        fields: What a point is made of.
        points: A structured array of the fields' dtype; or (N, fields) or (height, width, fields) numbers.
        step: Bytes from one point to the next; as needed if None.

    Raises:
        AssertionError: The points do not have the fields' layout.
    """
    fields = list(fields)
    if isinstance(points, np.ndarray) and points.dtype.names is not None:
        wanted = _dtype_from_fields(fields, points.dtype.itemsize if step is None else step)
        _must(wanted == points.dtype, "PointFields and structured NumPy array dtype do not match for all fields!")
    else:
        points = np.asarray(points)
        wanted = _dtype_from_fields(fields, step)
        _must(points.shape[-1] == len(wanted.names or ()), "The points do not have as many values as the fields.")
        points = unstructured_to_structured(points, dtype=wanted)
    _must(points.ndim <= 2, "Too many dimensions for organized cloud! Points can only be organized in max. two dims")
    height, width = (1, points.shape[0]) if points.ndim == 1 else points.shape
    data = array("B")
    data.frombytes(np.ascontiguousarray(points).tobytes())
    cloud = PointCloud2(
        header=header,
        height=height,
        width=width,
        is_dense=False,
        is_bigendian=sys.byteorder == "big",
        fields=fields,
        point_step=points.dtype.itemsize,
        row_step=points.dtype.itemsize * width,
    )
    cloud.data = data  # an array of bytes is taken as it is; anything else is checked byte by byte
    return cloud


def _create_cloud_xyz32(header: Header, points: Any) -> PointCloud2:
    """A cloud of (N, 3) points, float32."""
    fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate("xyz")
    ]
    return _create_cloud(header, fields, np.asarray(points, np.float32))


def _must(true: bool, otherwise: str) -> None:
    if not true:
        raise AssertionError(otherwise)  # the type that sensor_msgs_py raises


try:
    from sensor_msgs_py.point_cloud2 import (  # type: ignore[import-not-found]
        create_cloud,
        create_cloud_xyz32,
        dtype_from_fields,
        read_points,
        read_points_list,
        read_points_numpy,
    )

    IS_REAL_POINT_CLOUD2 = True
except ModuleNotFoundError as error:
    if error.name not in ("sensor_msgs_py", "sensor_msgs_py.point_cloud2"):
        raise
    create_cloud, create_cloud_xyz32, dtype_from_fields = _create_cloud, _create_cloud_xyz32, _dtype_from_fields
    read_points, read_points_list, read_points_numpy = _read_points, _read_points_list, _read_points_numpy
    IS_REAL_POINT_CLOUD2 = False

__all__ = [
    "IS_REAL_POINT_CLOUD2",
    "create_cloud",
    "create_cloud_xyz32",
    "dtype_from_fields",
    "read_points",
    "read_points_list",
    "read_points_numpy",
]
