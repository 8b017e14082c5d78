"""The synthetic room with photos that were not reconstructed but whose features are placed by the known depth: fast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import room
from hearing_hands_ros.scene.bundle import SceneBundle, Sfm
from hearing_hands_ros.scene.reconstruct.colmap import pycolmap
from hearing_hands_ros.scene.registration.images import CameraObservation
from hearing_hands_ros.scene.render import SplatRenderer
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

SIZE = (400, 300)
SPLAT_FROM_SFM = Sim3(2.0, to_wxyz(Rotation.from_euler("y", 40, degrees=True)), [0.1, 0.2, 0.3])


class RoomWorld:
    """A bundle with `sfm`, and what the robot's camera sees."""

    def __init__(self, folder: Path, photos: int = 10, images: int = 20) -> None:
        bundle = room.room_bundle(120_000, registered=False)
        self.renderer = SplatRenderer(bundle.splats)
        self._photograph(folder, photos)
        self.bundle: SceneBundle = replace(bundle, sfm=Sfm(folder, SPLAT_FROM_SFM))
        self.cameras = [camera.resized(*SIZE) for camera in room.robot_cameras(images)]
        splat_from_robot = room.ROBOT_FROM_SPLAT.inverse()
        self.images = self._pictures([camera.moved(splat_from_robot) for camera in self.cameras])[0]

    def observations(self, wrong: int = 0, seed: int = 0) -> list[CameraObservation]:
        """All images with their poses, the first ones' wrong."""
        rng = np.random.default_rng(seed)
        taken = []
        for index, (camera, image) in enumerate(zip(self.cameras, self.images, strict=True)):
            rotation, place = camera.rotation, camera.position
            if index < wrong:
                rotation = Rotation.from_rotvec(rng.normal(0.0, 0.2, 3)) * rotation
                place = place + rng.normal(0.0, 0.2, 3)
            pose = Sim3(1.0, to_wxyz(rotation), place)
            taken.append(CameraObservation(camera.name, image, camera, pose))
        return taken

    def _pictures(self, cameras):
        seen = self.renderer.render(cameras)
        return np.clip(np.rint(255.0 * seen.rgb), 0, 255).astype(np.uint8), seen

    def _photograph(self, folder: Path, photos: int) -> None:
        colmap = pycolmap()
        options = colmap.FeatureExtractionOptions()
        options.use_gpu = False
        options.sift.max_num_features = 1500
        sift = colmap.FeatureExtractor.create(options, colmap.Device.cpu)
        model = colmap.Reconstruction()
        descriptors, ids = [], []
        cameras = [camera.resized(*SIZE) for camera in room.photo_cameras(photos)]
        pictures, seen = self._pictures(cameras)
        for camera, picture, depth, alpha in zip(cameras, pictures, seen.depth, seen.alpha, strict=True):
            keypoints, found = sift.extract_from_uint8_array(
                np.ascontiguousarray(picture.mean(axis=2).astype(np.uint8))
            )
            pixels = np.array([(keypoint.x, keypoint.y) for keypoint in keypoints])
            column, row = np.clip(pixels.astype(int), 0, np.array(SIZE) - 1).T
            z = depth[row, column, None]
            rays = (pixels - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
            points = camera.rotation.apply(np.hstack([rays * z, z])) + camera.position
            for point, descriptor, solid in zip(points, found.data, alpha[row, column] > 0.95, strict=True):
                if solid:
                    place = SPLAT_FROM_SFM.inverse().apply(point)
                    ids.append(model.add_point3D(place, colmap.Track(), np.zeros(3, np.uint8)))
                    descriptors.append(descriptor)
        model.write(folder)
        np.savez_compressed(
            folder / "descriptors.npz", descriptors=np.array(descriptors), point3d_ids=np.array(ids, np.int64)
        )


def errors(found: Sim3) -> tuple[float, float, float]:
    """Share of the scale, degrees, millimetres by which the room's registration is off."""
    true = room.ROBOT_FROM_SPLAT
    turn = np.rad2deg((found.rotation * true.rotation.inv()).magnitude())
    return (
        abs(found.scale / true.scale - 1),
        float(turn),
        float(1e3 * np.linalg.norm(found.translation - true.translation)),
    )
