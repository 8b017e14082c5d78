"""Which images of a moving camera are worth keeping for a registration."""

from __future__ import annotations

import numpy as np

from hearing_hands_ros.scene.sim3 import Sim3

BEFORE_S = 0.1  # so long before an image TF is asked too: where the camera was then tells how fast it moves
NONE_STILL = (
    f"wanted a camera that TF knows to hold still for {BEFORE_S:g} s before an image, got none; if it stood at every "
    "image, as a triggered camera does: --standing"
)


class ImageChoice:
    """Takes images while the camera stands still, at places some way from those it has.

    How fast it moves is what TF says of the last 0.1 s, so images may come at any rate, or one by one.

    Args:
        count: So many images.
        spacing_m: A place nearer than this to one that was taken is only taken if the camera is turned.
        spacing_deg: By at least so much.
        fastest_mps: A camera faster than this does not stand still: its image is blurred and its stamp may lag.
        fastest_deg_per_s: Likewise of its turning.
        standing: The camera is known to stand at every image, so TF is not asked for that.
    """

    def __init__(
        self,
        count: int = 40,
        spacing_m: float = 0.04,
        spacing_deg: float = 4.0,
        fastest_mps: float = 0.05,
        fastest_deg_per_s: float = 5.0,
        standing: bool = False,
    ) -> None:
        self.count, self.spacing_m, self.spacing_deg = count, spacing_m, spacing_deg
        self.fastest_mps, self.fastest_deg_per_s = fastest_mps, fastest_deg_per_s
        self.standing = standing
        self.poses: list[Sim3] = []

    @property
    def is_full(self) -> bool:
        """Whether there are enough."""
        return len(self.poses) >= self.count

    def wants(self, pose: Sim3, before: Sim3 | None) -> bool:
        """Whether an image should be taken.

        Args:
            pose: Of the camera, at the image's stamp.
            before: Of the camera, `BEFORE_S` earlier; None if nobody knows.
        """
        if not self.standing and (before is None or self._moves(pose, before)):
            return False
        for other in self.poses:
            metres, degrees = _apart(pose, other)
            if metres < self.spacing_m and degrees < self.spacing_deg:
                return False
        return True

    def _moves(self, pose: Sim3, before: Sim3) -> bool:
        metres, degrees = _apart(pose, before)
        return metres > self.fastest_mps * BEFORE_S or degrees > self.fastest_deg_per_s * BEFORE_S

    def take(self, pose: Sim3) -> None:
        """Note that an image was taken."""
        self.poses.append(pose)


def _apart(one: Sim3, other: Sim3) -> tuple[float, float]:
    metres = float(np.linalg.norm(one.translation - other.translation))
    return metres, float(np.rad2deg((one.rotation * other.rotation.inv()).magnitude()))
