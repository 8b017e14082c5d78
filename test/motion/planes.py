"""A surface for tests: the plane z = 0."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Answer:
    distance_m: np.ndarray
    normal: np.ndarray
    point_m: np.ndarray
    material: np.ndarray
    material_share: np.ndarray


class Table:
    """The plane z = 0: material 0 where x < 0, material 1 elsewhere."""

    def query(self, points_m):
        count = len(points_m)
        foot = points_m.copy()
        foot[:, 2] = 0.0
        normal = np.tile([0.0, 0.0, 1.0], (count, 1))
        return Answer(points_m[:, 2].copy(), normal, foot, (points_m[:, 0] >= 0).astype(int), np.ones(count))
