"""Which images of a moving camera are worth keeping for a registration."""

from __future__ import annotations

import numpy as np

from hearing_hands_ros.scene.sim3 import Sim3

LONGEST_S = 1.2  # poses farther apart in time do not tell how fast the camera moves; a camera of 1 Hz still is judged
NONE_STILL = f"wanted a camera that holds still and sends an image every {LONGEST_S:g} s or more often, got none"


class ImageChoice:
    """Takes images while the camera stands still, at places some way from those it has.

    How fast it moves shows from the image before. One that has none within 1.2 s is not taken.

    Args:
        count: So many images.
        spacing_m: A place nearer than this to one that was taken is only taken if the camera is turned.
        spacing_deg: By at least so much.
        fastest_mps: A camera faster than this does not stand still: its image is blurred and its stamp may lag.
        fastest_deg_per_s: Likewise of its turning.
    """

    def __init__(
        self,
        count: int = 40,
        spacing_m: float = 0.04,
        spacing_deg: float = 4.0,
        fastest_mps: float = 0.05,
        fastest_deg_per_s: float = 5.0,
    ) -> None:
        self.count, self.spacing_m, self.spacing_deg = count, spacing_m, spacing_deg
        self.fastest_mps, self.fastest_deg_per_s = fastest_mps, fastest_deg_per_s
        self.poses: list[Sim3] = []
        self._last: tuple[int, Sim3] | None = None

    @property
    def is_full(self) -> bool:
        """Whether there are enough."""
        return len(self.poses) >= self.count

    def wants(self, stamp_ns: int, pose: Sim3) -> bool:
        """Whether an image taken then and there should be taken; call it for every image, in order of time."""
        before, self._last = self._last, (stamp_ns, pose)
        if before is None:
            return False
        seconds = (stamp_ns - before[0]) * 1e-9
        metres, degrees = _apart(pose, before[1])
        moves = metres > self.fastest_mps * seconds or degrees > self.fastest_deg_per_s * seconds
        if moves or not 0.0 < seconds <= LONGEST_S:
            return False
        for other in self.poses:
            metres, degrees = _apart(pose, other)
            if metres < self.spacing_m and degrees < self.spacing_deg:
                return False
        return True

    def take(self, pose: Sim3) -> None:
        """Note that an image was taken."""
        self.poses.append(pose)


def _apart(one: Sim3, other: Sim3) -> tuple[float, float]:
    metres = float(np.linalg.norm(one.translation - other.translation))
    return metres, float(np.rad2deg((one.rotation * other.rotation.inv()).magnitude()))
