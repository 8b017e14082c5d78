"""Scene bundles to messages."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Quaternion, Transform, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from hearing_hands_ros.msg import SceneRegistration
from hearing_hands_ros.ros.point_cloud2 import create_cloud, dtype_from_fields
from hearing_hands_ros.scene.bundle import SceneBundle

# rgb as RViz wants it: 0x00RRGGBB, the bits of a float.
FIELDS = [
    PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
    for index, name in enumerate(("x", "y", "z", "rgb"))
]


def scene_registration(bundle: SceneBundle) -> SceneRegistration:
    """Where and how large the scene is, without a stamp."""
    w, x, y, z = (float(value) for value in bundle.rotation_wxyz)
    return SceneRegistration(
        header=Header(frame_id=bundle.frame_id),
        name=bundle.name,
        sha256=bundle.sha256,
        parent_frame=bundle.parent_frame,
        scale=float(bundle.scale),
        transform=Transform(translation=_vector(bundle.translation_m), rotation=Quaternion(x=x, y=y, z=z, w=w)),
        residual_mm=float(bundle.residual_mm),
        residual_deg=float(bundle.residual_deg),
        up=_vector(bundle.up),
    )


def scene_points(bundle: SceneBundle, most: int, seed: int = 0) -> PointCloud2:
    """The centres of the Gaussians in their colours, in metres in the scene's frame, without a stamp.

    Args:
        bundle: Registered, for metres.
        most: Of more Gaussians than this a sample is taken, the more opaque ones with a higher chance.
        seed: Of the sample.
    """
    chosen = _sample(bundle.splats.opacities.astype(np.float64), most, seed)
    points = np.zeros(len(chosen), dtype_from_fields(FIELDS))
    for axis, values in zip("xyz", bundle.means_m[chosen].T, strict=True):
        points[axis] = values
    red, green, blue = np.round(bundle.splats.rgb[chosen] * 255.0).astype(np.uint32).T
    points["rgb"] = (red << 16 | green << 8 | blue).view(np.float32)
    cloud = create_cloud(Header(frame_id=bundle.frame_id), FIELDS, points)
    cloud.is_dense = True
    return cloud


def _sample(weights: NDArray[np.float64], most: int, seed: int) -> NDArray[np.intp]:
    """At most so many indices, drawn without replacement with chances that grow with the weights."""
    if len(weights) <= most:
        return np.arange(len(weights))
    # The largest keys u ** (1 / w) are such a draw (Efraimidis and Spirakis 2006), without a loop.
    keys = np.log(np.random.default_rng(seed).random(len(weights))) / np.maximum(weights, 1e-9)
    return np.sort(np.argpartition(keys, -most)[-most:])


def _vector(values: NDArray[np.float64]) -> Vector3:
    x, y, z = (float(value) for value in values)
    return Vector3(x=x, y=y, z=z)
