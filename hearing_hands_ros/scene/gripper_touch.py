"""A gripper from its URDF, held to a surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.scene.robot_shape import RobotShape
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.scene.urdf import link_poses

Array = NDArray[np.float64]

TIP_M = 0.01  # what is this near to the foremost point belongs to the fingertips


@dataclass(frozen=True)
class Gripper:
    """A gripper whose joints stand still.

    Attributes:
        shape: Its collision shapes.
        tool_from_link: Pose of every link. The tool's z axis points to what is touched, and its origin touches.
        length_m: From the root link to the fingertips.
        opening_m: Between the fingertips.
    """

    shape: RobotShape
    tool_from_link: Mapping[str, Sim3]
    length_m: float
    opening_m: float

    @classmethod
    def from_urdf(
        cls, urdf: str | Path, positions: Mapping[str, float], tip: str = "", links: tuple[str, ...] = ()
    ) -> Gripper:
        """Read a gripper and move its joints.

        Args:
            urdf: A file, or its text.
            positions: Of joints by name, rad or m; others are at 0.
            tip: Link whose frame is the tool. If empty it is that of the root link, moved along its z axis to where
                the collision shapes end.
            links: That are drawn; all with collision shapes if empty.

        Raises:
            ValueError: No URDF, an unknown link or joint, a position beyond its limits, or nothing to draw.
            FileNotFoundError: A file is missing.
        """
        shape = RobotShape.from_urdf(urdf, links)
        poses = link_poses(urdf, positions)
        if tip and tip not in poses:
            raise ValueError(f"Gripper: wanted a tip out of {', '.join(poses)}, got '{tip}'")
        tool_from_root = poses[tip].inverse() if tip else Sim3.identity()
        points = np.concatenate(
            [(tool_from_root @ poses[name]).apply(link.points_m) for name, link in shape.links.items()]
        )
        if not tip:
            foremost = float(points[:, 2].max())
            tool_from_root = Sim3(1.0, np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, -foremost]))
            points = tool_from_root.apply(points)
        fingertips = points[points[:, 2] > points[:, 2].max() - TIP_M, :2]
        return cls(
            shape,
            {name: tool_from_root @ pose for name, pose in poses.items()},
            max(float(np.linalg.norm(tool_from_root.translation)), TIP_M),
            float(np.ptp(fingertips, axis=0).max()),
        )

    def touching(self, point: Array, normal: Array, heading: Array, up: Array) -> tuple[SplatScene, Array]:
        """The gripper as Gaussians, straight over a touched point, and where its keypoints would be.

        Args:
            point: (3,) touched, in metres in the scene frame.
            normal: (3,) outward unit normal there.
            heading: (3,) where the tool's x axis points; only its part along the surface counts, and it must have one.
            up: (3,) of the scene, where the light comes from.

        Returns:
            Gaussians, and (21, 3) keypoints, in metres in the scene frame.
        """
        x = heading - normal * (heading @ normal)
        x = x / np.linalg.norm(x)
        turn = Rotation.from_matrix(np.stack([x, np.cross(-normal, x), -normal], axis=1))
        scene_from_tool = Sim3(1.0, to_wxyz(turn), point)
        shape = replace(self.shape, light=tuple(up.tolist()))
        drawn = shape.gaussians({name: scene_from_tool @ pose for name, pose in self.tool_from_link.items()})
        keypoints = end_effector_keypoints(self.length_m, self.opening_m) - [0.0, 0.0, self.length_m]
        return drawn, scene_from_tool.apply(keypoints)
