"""Points out of PointCloud2 messages, also of careless drivers."""

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField

from hearing_hands_ros.ros.cloud_messages import xyz_of

POINTS = np.arange(18, dtype=np.float64).reshape(6, 3)
F32, F64 = PointField.FLOAT32, PointField.FLOAT64


def fields(*entries):
    return [PointField(name=n, offset=o, datatype=t, count=c) for n, o, t, c in entries]


XYZ = fields(("x", 0, F32, 1), ("y", 4, F32, 1), ("z", 8, F32, 1))


def cloud(points=POINTS, **changes):
    values = {"height": 1, "width": len(points), "point_step": 12, "row_step": 12 * len(points), "fields": XYZ}
    return PointCloud2(**{**values, "data": points.astype("<f4").tobytes(), **changes})


def test_points_come_out_whatever_else_a_point_has():
    np.testing.assert_array_equal(xyz_of(cloud()), POINTS)
    holes = POINTS.copy()
    holes[1, 2], holes[3, 0] = np.nan, np.inf
    np.testing.assert_array_equal(xyz_of(cloud(holes)), POINTS[[0, 2, 4, 5]])
    np.testing.assert_array_equal(xyz_of(cloud(is_bigendian=True, data=POINTS.astype(">f4").tobytes())), POINTS)
    mixed = fields(("z", 10, F64, 1), ("x", 2, F32, 1), ("rgb", 6, 99, 1), ("rgb", 6, F32, 1), ("y", 6, F32, 1))
    table = np.zeros(6, {"names": list("xyz"), "formats": ["<f4", "<f4", "<f8"], "offsets": [2, 6, 10], "itemsize": 20})
    table["x"], table["y"], table["z"] = POINTS.T
    np.testing.assert_array_equal(xyz_of(cloud(fields=mixed, point_step=20, data=table.tobytes())), POINTS)
    assert xyz_of(cloud(POINTS[:0])).shape == (0, 3)


def test_bytes_between_rows_are_no_points():
    rows = np.full((2, 40), 0x7F, np.uint8)
    rows[:, :36] = np.frombuffer(POINTS.astype("<f4").tobytes(), np.uint8).reshape(2, 36)
    np.testing.assert_array_equal(xyz_of(cloud(height=2, width=3, row_step=40, data=rows.tobytes())), POINTS)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"fields": XYZ[:2]}, r"wanted the fields x, y and z once each, got \['x', 'y'\]"),
        ({"fields": [*XYZ, XYZ[0]]}, "once each"),
        ({"fields": [*XYZ[:2], *fields(("z", 8, 9, 1))]}, "z: wanted one number .* got 1 of datatype 9 at byte 8"),
        ({"fields": [*XYZ[:2], *fields(("z", 8, F64, 1))]}, "inside a point of 12 bytes"),
        ({"fields": [*XYZ[:2], *fields(("z", 8, F32, 3))]}, "got 3 of datatype 7"),
        ({"point_step": 0}, "inside a point of 0 bytes"),
        ({"data": bytes(70)}, "wanted 1 rows of 6 points of 12 bytes, got rows of 72 bytes and 70 bytes in all"),
        ({"height": 2, "width": 3, "row_step": 30}, "got rows of 30 bytes"),
    ],
)
def test_what_is_no_cloud_of_points_is_refused(changes, fault):
    with pytest.raises(ValueError, match=f"PointCloud2: .*{fault}|PointCloud2: {fault}"):
        xyz_of(cloud(**changes))
