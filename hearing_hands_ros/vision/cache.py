"""Features that were computed before, by where the camera and the hands were."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.vision.encoder import Features, ImageEncoder, Images

POSITION_STEP_M = 0.002
DIRECTION_STEP = 0.02  # of a unit vector or quaternion, about one degree
LARGEST = 4096  # features kept; 1280 numbers each are 20 MiB


def pose_key(positions_m: ArrayLike, directions: ArrayLike = ()) -> tuple[bytes, bytes]:
    """What is the same for poses that round to the same `POSITION_STEP_M` and `DIRECTION_STEP`.

    Args:
        positions_m: Any shape; what is not finite is a value of its own.
        directions: Unit vectors or quaternions, any shape.
    """
    return _rounded(positions_m, POSITION_STEP_M), _rounded(directions, DIRECTION_STEP)


class FeatureCache:
    """Asks an encoder only for what it has not seen; the least recently used is forgotten first.

    Args:
        encoder: Is asked for what is missing.
        largest: How many features are kept.
    """

    def __init__(self, encoder: ImageEncoder, largest: int = LARGEST) -> None:
        self.encoder = encoder
        self.hits = self.misses = 0
        self._largest = largest
        self._kept: OrderedDict[Hashable, NDArray[np.float32]] = OrderedDict()

    def encode(self, keys: Sequence[Hashable], render: Callable[[list[int]], Images]) -> Features:
        """Features of views.

        Args:
            keys: One a view: scene, and pose as of `pose_key`.
            render: Makes the pictures (M, H, W, 3) of the views whose indices it is given; is not called without need.

        Returns:
            (len(keys), D) float32.
        """
        missing = list(dict.fromkeys(key for key in keys if key not in self._kept))
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        new: dict[Hashable, NDArray[np.float32]] = {}
        if missing:
            first_of = {key: index for index, key in reversed(list(enumerate(keys)))}
            features = self.encoder.encode(render([first_of[key] for key in missing]))
            new = dict(zip(missing, features, strict=True))
        result = np.stack([new[key] if key in new else self._kept[key] for key in keys])
        self._kept.update(new)
        for key in keys:
            self._kept.move_to_end(key)
        while len(self._kept) > self._largest:
            self._kept.popitem(last=False)
        return result


def _rounded(values: ArrayLike, step: float) -> bytes:
    array = np.asarray(values, np.float64)
    finite = np.isfinite(array)
    cells = np.where(finite, np.rint(np.where(finite, array, 0.0) / step), 2.0**40)
    return cells.astype(np.int64).tobytes()
