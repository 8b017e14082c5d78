"""Where in the scene an image was taken: its SIFT features against those of the scene's photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.reconstruct.colmap import pycolmap
from hearing_hands_ros.scene.reconstruct.descriptors import read_features
from hearing_hands_ros.scene.render.compiled import compiled
from hearing_hands_ros.scene.sim3 import Sim3

Array = NDArray[np.float64]
LEAST_MATCHES = 20  # that agree on one pose; fewer may be chance
MOST_FEATURES = 3000
RATIO = 0.8  # distance to the best point over that to the second best
SCENE_BLOCK, IMAGE_BLOCK = 16384, 128  # descriptors at a time: their products stay in the cache
MODELS = {  # distortion of CameraInfo, as COLMAP names it, with the number of coefficients
    "": ("PINHOLE", 0),
    "plumb_bob": ("FULL_OPENCV", 5),
    "rational_polynomial": ("FULL_OPENCV", 8),
    "equidistant": ("OPENCV_FISHEYE", 4),
}


@dataclass(frozen=True)
class Lens:
    """How a camera maps directions to pixels.

    Attributes:
        width: Pixels.
        height: Pixels.
        fx: Focal length, pixels.
        fy: Focal length, pixels.
        cx: Principal point, pixels; the middle of the first pixel is at 0.5, where ROS and OpenCV say 0.
        cy: Likewise.
        model: Of the distortion, as in CameraInfo: "plumb_bob", "rational_polynomial", "equidistant", or "" for none.
        distortion: Its coefficients, in CameraInfo's order.

    Raises:
        ValueError: The model is another, has another number of coefficients, or something is not finite or positive.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    model: str = ""
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.width, self.height, self.fx, self.fy)
        if not (np.isfinite([*numbers, self.cx, self.cy, *self.distortion]).all() and min(numbers) > 0):
            raise ValueError(f"Lens: wanted finite numbers, positive sizes and focal lengths, got {self}")
        if self.model not in MODELS:
            wanted = ", ".join(repr(name) for name in MODELS)
            raise ValueError(f"Lens: wanted a distortion model out of {wanted}, got {self.model!r}")
        if len(self.distortion) != MODELS[self.model][1]:
            raise ValueError(
                f"Lens: {self.model!r} wants {MODELS[self.model][1]} coefficients, got {len(self.distortion)}"
            )

    @classmethod
    def of(cls, camera: Camera) -> Lens:
        """Of a pinhole camera."""
        return cls(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)

    @property
    def colmap_parameters(self) -> tuple[str, list[float]]:
        """Name of the model and parameters as COLMAP has them."""
        name, _ = MODELS[self.model]
        values = [*(float(v) for v in (self.fx, self.fy, self.cx, self.cy)), *self.distortion]
        if self.model == "plumb_bob":
            values += [0.0, 0.0, 0.0]
        return name, values


class NotLocatedError(ValueError):
    """The image does not show enough of the scene."""


class Localizer:
    """Finds images in the COLMAP model that a bundle brings along.

    Args:
        bundle: With `sfm`.

    Raises:
        ValueError: It has no model, the model is damaged, or pycolmap is not installed.
        FileNotFoundError: The model has no points or no descriptors.
    """

    def __init__(self, bundle: SceneBundle) -> None:
        if bundle.sfm is None:
            raise ValueError(
                f"Localizer({bundle.name!r}): wanted a bundle with 'sfm', the COLMAP model of its photos, got none; "
                "build or import the scene with its photos, or register it from point pairs or a cloud"
            )
        try:
            self._colmap = pycolmap()
        except ModuleNotFoundError as error:
            raise ValueError(
                "Localizer: wanted the package pycolmap to find images in the scene, got none: "
                'pip install "hearing_hands_ros[scene]"'
            ) from error
        who = f"Localizer('{bundle.sfm.folder}')"
        try:
            points, self._owner, self._descriptors = read_features(bundle.sfm.folder)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{who}: {error}") from error
        except ValueError as error:
            raise ValueError(f"{who}: {error}") from error
        self._points = bundle.sfm.splat_from_sfm.apply(points)
        options = self._colmap.FeatureExtractionOptions()
        options.use_gpu = False
        options.sift.max_num_features = MOST_FEATURES
        self._sift = self._colmap.FeatureExtractor.create(options, self._colmap.Device.cpu)

    def locate(self, image: NDArray[np.uint8], lens: Lens) -> Sim3:
        """Find where an image was taken.

        Args:
            image: (H, W) or (H, W, 3) of `lens.height` by `lens.width`.
            lens: Of the camera.

        Returns:
            `splat_from_camera`: rigid, in splat units; the camera looks along its z axis.

        Raises:
            NotLocatedError: It does not show enough of the scene.
            ValueError: The image has another shape.
        """
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[:2] != (lens.height, lens.width):
            raise ValueError(
                f"Localizer: wanted a uint8 image of height, width {lens.height}, {lens.width}, got {image.dtype} "
                f"{image.shape}"
            )
        grey = image if image.ndim == 2 else np.round(image[..., :3] @ [0.299, 0.587, 0.114]).astype(np.uint8)
        pixels, descriptors = self._features(grey)
        feature, point = self._match(descriptors)
        if len(feature) < LEAST_MATCHES:
            raise NotLocatedError(
                f"wanted {LEAST_MATCHES} or more features that are seen in the scene's photos too, got {len(feature)} "
                f"of {len(pixels)}"
            )
        model, parameters = lens.colmap_parameters
        camera = self._colmap.Camera(model=model, width=lens.width, height=lens.height, params=parameters)
        estimation = self._colmap.AbsolutePoseEstimationOptions()
        estimation.ransac.max_error = 4.0 * max(1.0, lens.width / 1280)
        estimation.ransac.random_seed = 0
        estimation.ransac.min_inlier_ratio = 0.05
        found = self._colmap.estimate_and_refine_absolute_pose(pixels[feature], self._points[point], camera, estimation)
        if found is None or found["num_inliers"] < LEAST_MATCHES:
            count = 0 if found is None else found["num_inliers"]
            raise NotLocatedError(
                f"wanted {LEAST_MATCHES} or more features that agree on one place, got {count} of {len(feature)}"
            )
        splat_from_camera = found["cam_from_world"].inverse()
        quaternion = np.asarray(splat_from_camera.rotation.quat)[[3, 0, 1, 2]]
        return Sim3(1.0, quaternion, np.asarray(splat_from_camera.translation))

    def _features(self, grey: NDArray[np.uint8]) -> tuple[Array, NDArray[np.float32]]:
        """(M, 2) pixels and (M, 128) descriptors of length 1, of one image."""
        keypoints, descriptors = self._sift.extract_from_uint8_array(np.ascontiguousarray(grey))
        pixels = np.array([(keypoint.x, keypoint.y) for keypoint in keypoints], np.float64).reshape(-1, 2)
        return pixels, _unit(descriptors.data)

    def _match(self, descriptors: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Features and points that are nearest to each other by far.

        The second best is the best of another point, so many photos of one point do not speak against it.
        """
        count = len(descriptors)
        best, second = np.full((2, count), -1.0, np.float32)
        owner = np.full(count, -1, np.intp)
        for start in range(0, len(self._owner), SCENE_BLOCK):
            scene = _unit(self._descriptors[start : start + SCENE_BLOCK])
            owners = self._owner[start : start + SCENE_BLOCK]
            for first in range(0, count, IMAGE_BLOCK):
                part = slice(first, first + IMAGE_BLOCK)
                _keep_two_best(descriptors[part] @ scene.T, owners, best[part], second[part], owner[part])
        distance, second_distance = (np.sqrt(np.maximum(2.0 - 2.0 * alike, 0.0)) for alike in (best, second))
        feature = np.flatnonzero(distance < RATIO * second_distance)
        # One feature a point: the nearest.
        feature = feature[np.argsort(distance[feature], kind="stable")]
        _, first_of_point = np.unique(owner[feature], return_index=True)
        feature = feature[np.sort(first_of_point)]
        return feature, owner[feature]


@compiled(nogil=True)
def _keep_two_best(
    alike: NDArray[np.float32],
    owners: NDArray[np.intp],
    best: NDArray[np.float32],
    second: NDArray[np.float32],
    owner: NDArray[np.intp],
) -> None:
    """Update each feature's best likeness, its point, and the best likeness of any other point, in place.

    Args:
        alike: (M, D) likeness of M features to D descriptors of the scene.
        owners: (D,) points of the descriptors.
        best: (M,).
        second: (M,).
        owner: (M,) point of `best`.
    """
    for row in range(len(alike)):
        top, runner_up, point = best[row], second[row], owner[row]
        for column in range(len(owners)):
            value = alike[row, column]
            if value <= runner_up:
                continue
            if owners[column] == point:
                top = max(top, value)
            elif value > top:
                top, runner_up, point = value, top, owners[column]
            else:
                runner_up = value
        best[row], second[row], owner[row] = top, runner_up, point


def _unit(descriptors: NDArray[Any]) -> NDArray[np.float32]:
    values = descriptors.astype(np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
