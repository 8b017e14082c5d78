"""Tells everybody where the scene is, and shows it: static transform, registration, and the splats as a point cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2

from hearing_hands_ros.msg import SceneRegistration
from hearing_hands_ros.ros.diagnostics import OK, WARN
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.scene_messages import scene_points, scene_registration
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.ros.tf2 import StaticTransformBroadcaster
from hearing_hands_ros.scene.bundle import SceneBundle

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@dataclass(frozen=True)
class SceneServerParameters(CommonParameters):
    """Parameters of `scene_server`."""

    scene: str = parameter("", "Folder of the scene bundle (scene.yaml and splats).")
    publish_points: bool = parameter(True, "Publish the splats as a point cloud, for RViz and Foxglove.")
    max_points: int = parameter(
        200_000, "Most points that are published; of more Gaussians the opaque ones come first.", low=1, high=10_000_000
    )
    publish_scene_transform: bool = parameter(True, "Publish the scene's registration as a static transform.")
    max_residual_mm: float = parameter(
        50.0, "A scene whose registration fits worse than this is shown with a warning, mm.", low=0.1, high=10_000.0
    )


class SceneServer(ManagedNode):
    """Scene bundle in; `scene/registration`, `scene/points` and a static transform out, for whoever comes later too."""

    parameters_class = SceneServerParameters

    def __init__(self) -> None:
        super().__init__("scene_server")
        self._registration = self.create_lifecycle_publisher(SceneRegistration, "scene/registration", LATCHED)
        self._points = self.create_lifecycle_publisher(PointCloud2, "scene/points", LATCHED)
        self._static = StaticTransformBroadcaster(self)

    def configure(self) -> None:
        """Load and check the scene, and make the messages."""
        self.p = read_parameters(self, SceneServerParameters)
        if not self.p.scene:
            raise ValueError("scene_server: parameter 'scene' wants the folder of a scene bundle, got an empty string")
        bundle = SceneBundle.load(Path(self.p.scene).expanduser())
        self._message = scene_registration(bundle)
        self._cloud = scene_points(bundle, self.p.max_points) if self.p.publish_points else None
        self._gaussians = len(bundle.splats)
        self.get_logger().info(
            f"scene '{bundle.name}' of {self._gaussians} Gaussians: '{bundle.frame_id}' under '{bundle.parent_frame}'"
        )

    def activate(self) -> None:
        """Publish everything once; it stays there for those who come later."""
        now = self.get_clock().now().to_msg()
        self._message.header.stamp = now
        self._registration.publish(self._message)
        if self.p.publish_scene_transform:
            self._static.sendTransform(
                TransformStamped(
                    header=type(self._message.header)(stamp=now, frame_id=self._message.parent_frame),
                    child_frame_id=self._message.header.frame_id,
                    transform=self._message.transform,
                )
            )
        if self._cloud is not None:
            self._cloud.header.stamp = now
            self._points.publish(self._cloud)

    def cleanup(self) -> None:
        """Let go of the scene."""
        del self._message, self._cloud

    def status(self, status: Any) -> tuple[bytes, str]:
        """Say what is published."""
        status.add("scene", self._message.name)
        status.add("sha256", self._message.sha256)
        status.add("gaussians", self._gaussians)
        status.add("points", 0 if self._cloud is None else self._cloud.width)
        status.add("residual_mm", f"{self._message.residual_mm:.2f}")
        status.add("residual_deg", f"{self._message.residual_deg:.3f}")
        if self._message.residual_mm > self.p.max_residual_mm:
            return WARN, f"registered to {self._message.residual_mm:.1f} mm, wanted {self.p.max_residual_mm:g} or less"
        return OK, "published"


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(SceneServer, args)


if __name__ == "__main__":
    main()
