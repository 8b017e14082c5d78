"""A table of splats, and a hand that moves over it in TF."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
from geometry_msgs.msg import TransformStamped
from hearing_hands_ros.msg import ContactEvent
from tf2_msgs.msg import TFMessage

from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.ros.hand_messages import stamp_from_ns
from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

SCALE = 0.5  # metres per splat unit
TABLE_M = 0.3  # the scene's frame hangs so high above `world`, unturned
NS = 1_000_000_000


def save_table(folder: Path, material: str = "wood") -> Path:
    """Write a scene of one flat table, z = 0 in its frame, 0.6 m wide."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-0.3, 0.3, 61), np.linspace(-0.3, 0.3, 61)))
    means = np.stack([x, y, np.zeros_like(x)], axis=1) / SCALE
    count = len(means)
    splats = SplatScene.from_rgb(
        means=means.astype(np.float32),
        scales=np.tile(np.float32([0.008, 0.008, 0.0005]) / SCALE, (count, 1)).astype(np.float32),
        quats_wxyz=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        opacities=np.full(count, 0.95, np.float32),
        rgb=np.full((count, 3), 0.6, np.float32),
    )
    SceneBundle(
        name="table",
        splats=splats,
        frame_id="table_scene",
        up=np.array([0.0, 0.0, 1.0]),
        registration=Registration("world", Sim3(SCALE, [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, TABLE_M]), 0.0, 0.0),
        viewpoints_m=np.array([[0.0, -0.5, 1.0]]),
        material_names=(material,),
        labels=np.zeros(count, np.uint8),
    ).save(folder)
    return folder


def tap_height(t: float, period_s: float = 1.0, speed: float = 0.3, dwell_s: float = 0.08) -> float:
    """Height of a fingertip over the table that taps once a period, in its middle."""
    t = t % period_s - period_s / 2
    return min(speed * max(-t, t - dwell_s, 0.0), 0.1)


def ended_ones(events: list[ContactEvent]) -> list[ContactEvent]:
    """Those that say that a touch has ended."""
    return [event for event in events if event.phase == ContactEvent.ENDED]


class TfHand:
    """Publishes the 21 keypoint frames of a right hand, pointing down on the table, until it is stopped.

    `height(t)` may be replaced at any time; `send` may be cleared to fall silent, and `spoil(transforms)` may damage
    what is sent.
    """

    def __init__(self, ros, height=tap_height, rate_hz=60, stamp=None, frames="hand_right/kp_{:02d}", parent="world"):
        self.height, self.stamp, self.frames, self.parent = height, stamp or time.time_ns, frames, parent
        self.send, self.spoil = True, lambda transforms: transforms
        self.taps: list[int] = []
        self._keypoints = end_effector_keypoints(0.15, 0.0) * [1, 1, -1] + [0, 0, 0.15 + TABLE_M]
        self._publisher = ros.talk(TFMessage, "/tf")
        self._period_s = 1.0 / rate_hz
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping = True
        self._thread.join(5.0)

    def message(self, stamp_ns, height_m):
        transforms = []
        for index, point in enumerate(self._keypoints):
            transform = TransformStamped()
            transform.header.stamp = stamp_from_ns(stamp_ns)
            transform.header.frame_id = self.parent
            transform.child_frame_id = self.frames.format(index)
            translation = transform.transform.translation
            translation.x, translation.y, translation.z = 0.05, 0.0, float(point[2]) + height_m
            transforms.append(transform)
        return TFMessage(transforms=self.spoil(transforms))

    def _run(self):
        while not self._stopping:
            stamp_ns = self.stamp()
            if self.send and stamp_ns > 0:
                self._publisher.publish(self.message(stamp_ns, self.height(stamp_ns / NS)))
            time.sleep(self._period_s)
