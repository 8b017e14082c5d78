"""Messages of TF with random transforms."""

import numpy as np
from rosbags.typesys import Stores, get_typestore

NS = 1_000_000_000
START_NS = 1_748_770_200 * NS
STORE = get_typestore(Stores.ROS2_KILTED)
TF = "tf2_msgs/msg/TFMessage"


def message(stamps_ns, edges, rng, spoil=None):
    """Random transforms; `spoil` may change the numbers (E, 7) of x, y, z and the quaternion x, y, z, w."""
    values = rng.normal(size=(len(edges), 7))
    values[:, 3:] /= np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
    if spoil is not None:
        spoil(values)
    types = STORE.types
    transforms = []
    for stamp_ns, (parent, child), numbers in zip(stamps_ns, edges, values.tolist(), strict=True):
        transforms.append(
            types["geometry_msgs/msg/TransformStamped"](
                types["std_msgs/msg/Header"](
                    types["builtin_interfaces/msg/Time"](stamp_ns // NS, stamp_ns % NS), parent
                ),
                child,
                types["geometry_msgs/msg/Transform"](
                    types["geometry_msgs/msg/Vector3"](*numbers[:3]),
                    types["geometry_msgs/msg/Quaternion"](*numbers[3:]),
                ),
            )
        )
    return bytes(STORE.serialize_cdr(types[TF](transforms), TF))


def publisher(edges, rate_hz, rng, seconds=2.0, jitter_s=0.0):
    """Arrival, bytes; in the order of arrival, which need not be that of the stamps."""
    stamps = START_NS + (np.arange(0.0, seconds, 1.0 / rate_hz) * NS).astype(np.int64)
    late = rng.uniform(0.0, jitter_s, len(stamps)) * NS + 1e6
    made = [(int(s + d), message([int(s)] * len(edges), edges, rng)) for s, d in zip(stamps, late, strict=True)]
    return sorted(made)
