"""Where the camera was: as TF says, or as its images show it in the scene."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hearing_hands_ros.hands_from_video.frames import CameraBag, CameraFrame
from hearing_hands_ros.ros.tf2_bytes import Edge
from hearing_hands_ros.ros.tf2_core import TransformTree
from hearing_hands_ros.ros.tf2_exceptions import TransformException
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.registration.localize import Localizer
from hearing_hands_ros.scene.sim3 import Sim3

PROBE = 30  # images after which TF is not expected to know the camera any more
LOOKS = 9  # images that must agree for a camera to stand
AGREE_M, AGREE_DEG = 0.01, 0.7

BEGINS, ENDS, UNKNOWN = "TF begins after them", "TF ends before them", "TF does not lead from it to the scene"
HIDDEN = "they do not show the scene"


class CameraPlace(Protocol):
    """Anything that knows where the camera is.

    Attributes:
        lacks: Why it did not know it last, in a few words.
    """

    lacks: str

    def learn(self, edge: Edge, is_static: bool) -> None:
        """Take an edge of TF."""

    def scene_from_camera(self, frame: CameraFrame) -> Sim3 | None:
        """Rigid, metres, at an image's time; None if nobody knows."""

    def __str__(self) -> str: ...


class TfCamera:
    """A camera that TF knows.

    The scene is where its bundle says; what the recording says of its frame does not count, as in replay.

    Attributes:
        why: What TF said last when it did not know.
        lacks: The same in a few words.
    """

    def __init__(self, bundle: SceneBundle) -> None:
        self.why, self.lacks = "no image", ""
        self._frame_id, self._camera = bundle.frame_id, ""
        self._tree = TransformTree()
        w, x, y, z = (float(value) for value in bundle.rotation_wxyz)
        place = tuple(float(value) for value in bundle.translation_m)
        self._tree.insert(bundle.parent_frame, bundle.frame_id, 0, (*place, x, y, z, w), "scene", True)

    def __str__(self) -> str:
        return f"'{self._camera}' in TF"

    def learn(self, edge: Edge, is_static: bool) -> None:
        """Take an edge of TF."""
        parent, child, stamp_ns, values = edge
        if child.removeprefix("/") != self._frame_id:
            self._tree.insert(parent, child, stamp_ns, values, "bag", is_static)

    def scene_from_camera(self, frame: CameraFrame) -> Sim3 | None:
        """Rigid, metres, at an image's time; None if TF does not say."""
        try:
            _, x, y, z, qx, qy, qz, qw = self._tree.lookup(self._frame_id, frame.frame_id, frame.stamp_ns)
        except TransformException as error:
            self.why, self.lacks = str(error), self._lack(frame)
            return None
        self._camera = frame.frame_id
        return Sim3(1.0, np.array([qw, qx, qy, qz]), np.array([x, y, z]))

    def _lack(self, frame: CameraFrame) -> str:
        try:
            latest_ns = self._tree.latest_common_time(self._frame_id, frame.frame_id)
        except TransformException:
            return UNKNOWN
        return ENDS if frame.stamp_ns > latest_ns else BEGINS


class LocatedCamera:
    """A camera that is found in the scene's photos: once if it stands, else at every image.

    Args:
        bundle: With `sfm`.
        camera: Of the recording.

    Raises:
        ValueError: The scene has no photos, or shows in none of the images that were looked at.
        FileNotFoundError: Files of the photos are missing.
    """

    def __init__(self, bundle: SceneBundle, camera: CameraBag) -> None:
        self.lacks = HIDDEN
        self._localizer, self._scale, self._lens = Localizer(bundle), bundle.scale, camera.lens
        self._why = "no image"
        poses = [pose for frame in camera.sample(LOOKS) if (pose := self._located(frame)) is not None]
        if not poses:
            raise ValueError(f"wanted a camera that sees the scene of '{bundle.name}', got: {self._why}")
        middle = min(poses, key=lambda pose: sum(_apart(pose, other)[0] for other in poses))
        agree = [pose for pose in poses if _agree(pose, middle)]
        self._standing = middle if 2 * len(agree) > len(poses) > 1 else None

    def __str__(self) -> str:
        return "found in the scene, " + ("where it stands" if self._standing else "image by image")

    def learn(self, edge: Edge, is_static: bool) -> None:
        """TF does not matter."""

    def scene_from_camera(self, frame: CameraFrame) -> Sim3 | None:
        """Rigid, metres, at an image's time; None if the image does not show the scene."""
        return self._located(frame) if self._standing is None else self._standing

    def _located(self, frame: CameraFrame) -> Sim3 | None:
        try:
            found = self._localizer.locate(frame.pixels, self._lens)
        except ValueError as error:
            self._why = str(error)
            return None
        return Sim3(1.0, found.rotation_wxyz, found.translation * self._scale)


def camera_place(bundle: SceneBundle, camera: CameraBag) -> CameraPlace:
    """TF if it knows the camera at one of the first images, else the scene's photos.

    Raises:
        ValueError: Neither knows; says why.
        FileNotFoundError: Files of the photos are missing.
    """
    probe = TfCamera(bundle)
    for count, (frame, edges) in enumerate(camera.frames()):
        for edge, is_static in edges:
            probe.learn(edge, is_static)
        if probe.scene_from_camera(frame) is not None:
            return TfCamera(bundle)
        if count >= PROBE and probe.lacks not in (BEGINS, ENDS):  # TF that knows it at other times may yet come
            break
    try:
        return LocatedCamera(bundle, camera)
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(
            f"bag '{camera.bag.path}': wanted the place of the camera of '{camera.image_topic}', from TF or from the "
            f"scene's photos, got neither: TF: {'; '.join(filter(None, (probe.why, camera.clocks.trouble)))}; "
            f"photos: {error}"
        ) from error


def _apart(one: Sim3, other: Sim3) -> tuple[float, float]:
    metres = float(np.linalg.norm(one.translation - other.translation))
    return metres, float(np.rad2deg((one.rotation * other.rotation.inv()).magnitude()))


def _agree(one: Sim3, other: Sim3) -> bool:
    metres, degrees = _apart(one, other)
    return metres < AGREE_M and degrees < AGREE_DEG
