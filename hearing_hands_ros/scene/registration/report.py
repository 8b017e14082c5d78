"""What a registration found, how well it fits, and whether that is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.scene.bundle import Registration
from hearing_hands_ros.scene.sim3 import Sim3

Array = NDArray[np.float64]
NAMED = 5  # so many of the worst observations are named


@dataclass(frozen=True)
class Limits:
    """What a registration must keep to.

    Attributes:
        residual_mm: Root mean square over the inliers, mm.
        residual_deg: Likewise of the rotations, degrees.
        inlier_share: Least share of the observations that must agree. Above one half, or two answers may
            be equally good.
        up_deg: Between the scene's up axis and the parent's z axis, degrees.

    Raises:
        ValueError: One of them can never be kept, or always.
    """

    residual_mm: float = 10.0
    residual_deg: float = 1.0
    inlier_share: float = 0.6
    up_deg: float = 90.0

    def __post_init__(self) -> None:
        for name in ("residual_mm", "residual_deg"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"Limits: {name}: wanted more than 0, got {getattr(self, name)}")
        if not 0.0 < self.inlier_share <= 1.0:
            raise ValueError(f"Limits: inlier_share: wanted more than 0 and at most 1, got {self.inlier_share}")
        if not 0.0 < self.up_deg <= 180.0:
            raise ValueError(f"Limits: up_deg: wanted more than 0 and at most 180, got {self.up_deg}")

    def inliers(self, mm: Array, deg: Array) -> NDArray[np.bool_]:
        """Which of (N,) residuals belong to observations that agree.

        The bound follows the median, so that a good fit is not spoilt by an observation that is only fairly wrong; it
        stays between a third and three times the limit.
        """
        good = np.ones(len(mm), np.bool_)
        for residual, limit in ((mm, self.residual_mm), (deg, self.residual_deg)):
            good &= residual <= np.clip(4.0 * np.median(residual), limit / 3.0, 3.0 * limit)
        return good


@dataclass(frozen=True)
class Residual:
    """How far one observation is from where the registration puts it.

    Attributes:
        name: Of the image, the point pair or the part of the cloud.
        mm: Distance.
        deg: Angle; 0 where the observation has no orientation.
        is_inlier: It took part in the fit.
        position_m: (3,) where it is said to be, in the parent frame.
    """

    name: str
    mm: float
    deg: float
    is_inlier: bool
    position_m: Array

    def __str__(self) -> str:
        return f"{self.name} ({self.mm:.1f} mm, {self.deg:.2f} deg)"


@dataclass(frozen=True)
class RegistrationReport:
    """A registration with everything that speaks for and against it.

    Attributes:
        way: "pairs", "images" or "cloud".
        parent_from_splat: Splat units to metres in the parent frame.
        observations: Every one that was compared.
        left_out: Why others were not, by name.
    """

    way: str
    parent_from_splat: Sim3
    observations: tuple[Residual, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def inliers(self) -> tuple[Residual, ...]:
        """Those that took part in the fit."""
        return tuple(o for o in self.observations if o.is_inlier)

    @property
    def residual_mm(self) -> float:
        """Root mean square over the inliers."""
        return _rms([o.mm for o in self.inliers])

    @property
    def residual_deg(self) -> float:
        """Likewise of the rotations."""
        return _rms([o.deg for o in self.inliers])

    def worst(self, limits: Limits, count: int = NAMED) -> list[Residual]:
        """The observations that fit worst, measured by the limits, the worst first."""
        return sorted(
            self.observations, key=lambda o: max(o.mm / limits.residual_mm, o.deg / limits.residual_deg), reverse=True
        )[:count]

    def registration(self, parent_frame: str) -> Registration:
        """What goes into the bundle."""
        return Registration(parent_frame, self.parent_from_splat, self.residual_mm, self.residual_deg)

    def check(self, limits: Limits, up: ArrayLike) -> None:
        """Refuse what is not good enough.

        Args:
            limits: What it must keep to.
            up: (3,) the scene's unit vector against gravity, along the splats' axes.

        Raises:
            RegistrationRefusedError: A limit is passed; names the worst observations with their residuals.
        """
        faults = []
        agree, count = len(self.inliers), len(self.observations)
        if agree < limits.inlier_share * count:
            faults.append(f"{agree} of {count} agree, wanted {limits.inlier_share:.0%} or more")
        if agree and self.residual_mm > limits.residual_mm:
            faults.append(f"residual of {self.residual_mm:.1f} mm, wanted {limits.residual_mm:g} mm or less")
        if agree and self.residual_deg > limits.residual_deg:
            faults.append(f"residual of {self.residual_deg:.2f} deg, wanted {limits.residual_deg:g} deg or less")
        if faults:
            worst = ", ".join(str(o) for o in self.worst(limits))
            raise RegistrationRefusedError(f"registration from {self.way}: {'; '.join(faults)}; worst: {worst}", self)
        risen = self.parent_from_splat.rotation.apply(np.asarray(up, np.float64))
        risen_from = np.round(np.asarray(up, np.float64), 3).tolist()
        tilt = float(np.rad2deg(np.arccos(np.clip(risen[2], -1.0, 1.0))))
        if tilt > limits.up_deg:
            raise RegistrationRefusedError(
                f"registration from {self.way}: wanted the scene's up axis {risen_from} within "
                f"{limits.up_deg:g} deg of the parent frame's z axis, got {tilt:.0f} deg: the scene would hang upside "
                "down; if it does not, the 'up' of scene.yaml is wrong",
                self,
            )


class RegistrationRefusedError(ValueError):
    """There is no registration that can be trusted.

    Attributes:
        report: The one that was refused, None if it did not come so far.
    """

    def __init__(self, message: str, report: RegistrationReport | None = None) -> None:
        super().__init__(message)
        self.report = report


def _rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values else 0.0
