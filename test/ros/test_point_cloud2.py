"""Point clouds in and out, as sensor_msgs_py reads and makes them."""

import sys

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from hearing_hands_ros.ros.point_cloud2 import (
    create_cloud,
    create_cloud_xyz32,
    dtype_from_fields,
    read_points,
    read_points_list,
    read_points_numpy,
)

F32, U8, U32 = PointField.FLOAT32, PointField.UINT8, PointField.UINT32
POINTS = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0], [7.0, 8.0, 9.0], [10.0, 11.0, 12.0]], np.float32)


def field(name, offset, datatype=F32, count=1):
    return PointField(name=name, offset=offset, datatype=datatype, count=count)


def cloud(points=POINTS):
    return create_cloud_xyz32(Header(frame_id="camera"), points)


def test_points_come_back_as_they_went_in():
    message = cloud()
    assert (message.height, message.width, message.point_step, message.row_step) == (1, 4, 12, 48)
    assert message.header.frame_id == "camera"
    assert [f.name for f in message.fields] == ["x", "y", "z"]
    points = read_points(message)
    assert points.dtype.names == ("x", "y", "z")
    np.testing.assert_array_equal(points["z"], POINTS[:, 2])
    np.testing.assert_array_equal(read_points_numpy(message), POINTS)
    assert read_points_list(message)[2] == (7.0, 8.0, 9.0)
    assert read_points_list(message)[2].y == 8.0


def test_nan_is_left_out_on_request_and_a_dense_cloud_is_believed():
    message = cloud()
    np.testing.assert_array_equal(read_points_numpy(message, skip_nans=True), POINTS[[0, 2, 3]])
    # only the fields that are asked for count
    assert len(read_points(message, ["x", "z"], skip_nans=True)) == 4
    message.is_dense = True
    assert len(read_points(message, skip_nans=True)) == 4


def test_fields_and_points_can_be_chosen():
    message = cloud()
    np.testing.assert_array_equal(read_points_numpy(message, ["z", "x"]), POINTS[:, [2, 0]])
    np.testing.assert_array_equal(read_points(message, uvs=[3, 0])["x"], [10.0, 1.0])
    np.testing.assert_array_equal(read_points(message, uvs=np.array([1]), skip_nans=True)["x"], [7.0])
    with pytest.raises(AssertionError, match="not in the fields"):
        read_points(message, ["intensity"])


def test_padding_between_and_after_fields_is_skipped():
    fields = [field("x", 4), field("rgb", 16, U32), field("ring", 20, U8)]
    dtype = dtype_from_fields(fields, point_step=32)
    points = np.zeros(3, dtype)
    points["x"], points["rgb"], points["ring"] = [1, 2, 3], [10, 20, 30], [7, 8, 9]
    message = create_cloud(Header(), fields, points)
    assert message.point_step == 32
    assert len(message.data) == 96
    got = read_points(message)
    assert (got["x"].tolist(), got["rgb"].tolist(), got["ring"].tolist()) == ([1, 2, 3], [10, 20, 30], [7, 8, 9])
    assert dtype_from_fields(fields).itemsize == 21


def test_the_other_byte_order_is_turned_and_the_message_left_alone():
    message = cloud()
    swapped = POINTS.astype(POINTS.dtype.newbyteorder()).tobytes()
    message.data = swapped
    message.is_bigendian = sys.byteorder == "little"
    np.testing.assert_array_equal(read_points_numpy(message), POINTS)
    assert bytes(message.data) == swapped
    assert read_points(message).dtype["x"].isnative


def test_fields_of_several_values_and_without_names_get_names():
    fields = [field("normal", 0, count=3), field("", 12)]
    assert dtype_from_fields(fields).names == ("normal_0", "normal_1", "normal_2", "unnamed_field_1")
    message = create_cloud(Header(), fields, np.arange(8, dtype=np.float32).reshape(2, 4))
    assert read_points(message)["normal_2"].tolist() == [2.0, 6.0]
    assert read_points(message)["unnamed_field_1"].tolist() == [3.0, 7.0]
    for wrong in ([field("x", 0), field("x", 4)], [field("x", 0, count=0)]):
        with pytest.raises(AssertionError):
            dtype_from_fields(wrong)


def test_organised_clouds_keep_their_rows_on_request():
    grid = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    message = cloud(grid)
    assert (message.height, message.width, message.row_step) == (2, 4, 48)
    assert read_points(message).shape == (8,)
    # width before height, as sensor_msgs_py has it
    assert read_points(message, reshape_organized_cloud=True).shape == (4, 2)


def test_mixed_types_are_read_by_field_only():
    fields = [field("x", 0), field("label", 4, U8)]
    message = create_cloud(Header(), fields, np.zeros(2, dtype_from_fields(fields)))
    assert len(read_points(message)) == 2
    with pytest.raises(AssertionError, match="same datatype"):
        read_points_numpy(message)


def test_what_does_not_fit_is_refused():
    with pytest.raises(AssertionError, match="do not match"):
        create_cloud(Header(), [field("x", 0)], np.zeros(2, [("y", np.float32)]))
    with pytest.raises(AssertionError, match="PointCloud2"):
        read_points(Header())
    with pytest.raises((TypeError, ValueError)):
        truncated = PointCloud2(height=1, width=4, point_step=12, fields=[field("x", 0)], data=bytes(40))
        read_points(truncated)
    assert len(read_points(PointCloud2(fields=[field("x", 0)], point_step=4))) == 0
