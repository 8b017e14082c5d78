"""Registration from images of the robot's camera, whose poses TF knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.registration.localize import Lens, Localizer, NotLocatedError
from hearing_hands_ros.scene.registration.poses import Poses, fit_poses, pose_residuals
from hearing_hands_ros.scene.registration.report import Limits, RegistrationRefusedError, RegistrationReport, Residual
from hearing_hands_ros.scene.sim3 import Sim3

LEAST_IMAGES = 5  # with fewer, a wrong pose cannot be told from a right one
LEAST_LOCATED_SHARE = 0.5  # of all images more than this must show the scene


@dataclass(frozen=True)
class CameraObservation:
    """One image with the pose that the robot knows.

    Attributes:
        name: For people: a file's name, a stamp.
        image: (H, W) or (H, W, 3) uint8.
        intrinsics: A `Lens`, or a pinhole `Camera`, of which size, focal lengths and principal point are taken.
        parent_from_camera: Rigid (scale 1), metres; the camera's axes are those of an optical frame: x right, y down, z
            forward.

    Raises:
        ValueError: `parent_from_camera` has a scale.
    """

    name: str
    image: NDArray[np.uint8]
    intrinsics: Lens | Camera
    parent_from_camera: Sim3

    def __post_init__(self) -> None:
        if abs(self.parent_from_camera.scale - 1.0) > 1e-9:
            raise ValueError(
                f"CameraObservation({self.name!r}): wanted a rigid pose, got scale {self.parent_from_camera.scale}"
            )

    @property
    def lens(self) -> Lens:
        """How it maps directions to pixels."""
        return self.intrinsics if isinstance(self.intrinsics, Lens) else Lens.of(self.intrinsics)


def register_from_images(
    bundle: SceneBundle,
    observations: Sequence[CameraObservation],
    limits: Limits | None = None,
    left_out: Mapping[str, str] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> RegistrationReport:
    """Similarity that takes the splats to the robot, from where its camera sees itself in the scene.

    Every image is located in the COLMAP model of the scene's photos. Where it is there and where TF says that it was
    make one pair of poses; the similarity that most pairs agree with is found and refined. (Refining over the points'
    places in the images instead was tried: twice as exact with faultless TF, half as exact with TF that is off by 2 mm
    and 0.2 degrees, because it takes every pose of the robot as true.)

    Args:
        bundle: With `sfm`; a registration that it has is not looked at.
        observations: Five or more, taken from places that are some way apart.
        limits: What it must keep to.
        left_out: Images that the caller had to leave out, and why; the report names them too.
        advance: Is called after every image.

    Raises:
        RegistrationRefusedError: Too few images, too few that show the scene, or a limit is passed; names the worst.
        ValueError: The bundle has no COLMAP model, or an image is none.
    """
    limits = limits or Limits()
    out = dict(left_out or {})
    if len(observations) < LEAST_IMAGES:
        raise RegistrationRefusedError(
            f"registration from images: wanted {LEAST_IMAGES} or more images with poses, got {len(observations)}"
            f"{_reasons(out)}"
        )
    localizer = Localizer(bundle)
    seen: list[tuple[CameraObservation, Sim3]] = []
    for observation in observations:
        lens, (height, width) = observation.lens, observation.image.shape[:2]
        if (height, width) != (lens.height, lens.width):
            out[observation.name] = f"wanted its camera's {lens.width} x {lens.height} pixels, got {width} x {height}"
            advance()
            continue
        try:
            seen.append((observation, localizer.locate(observation.image, lens)))
        except NotLocatedError as error:
            out[observation.name] = f"not found in the scene: {error}"
        advance()
    if len(seen) < LEAST_IMAGES or len(seen) <= LEAST_LOCATED_SHARE * len(observations):
        least = max(LEAST_IMAGES, int(LEAST_LOCATED_SHARE * len(observations)) + 1)
        raise RegistrationRefusedError(
            f"registration from images: wanted {least} or more of {len(observations)} images found in the scene, got "
            f"{len(seen)}{_reasons(out)}"
        )
    splat = Poses.of([pose for _, pose in seen])
    parent = Poses.of([observation.parent_from_camera for observation, _ in seen])
    found, inliers = fit_poses(splat, parent, limits)
    mm, deg = pose_residuals(found, splat, parent)
    residuals = tuple(
        Residual(observation.name, float(a), float(b), bool(good), observation.parent_from_camera.translation)
        for (observation, _), a, b, good in zip(seen, mm, deg, inliers, strict=True)
    )
    report = RegistrationReport("images", found, residuals, out)
    report.check(limits, bundle.up)
    return report


def _reasons(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return ""
    named = list(left_out.items())[:5]
    more = f" and {len(left_out) - len(named)} more" if len(left_out) > len(named) else ""
    return "; left out: " + "; ".join(f"{name}: {why}" for name, why in named) + more
