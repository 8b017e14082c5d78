"""What the touched places look like, and where in the scene they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.replay.result import TouchResult
from hearing_hands_ros.report.media import jpeg
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import global_camera
from hearing_hands_ros.scene.views import SceneViews

MAP_PX: Final = 720
SEEN: Final = 12
"""Of 255; haze is less."""


@dataclass(frozen=True)
class PlaceMap:
    """The scene from its first camera.

    Attributes:
        picture: JPEG file.
        size: Its width and height, px.
        at: Where each touch is, px; None where it is not in the picture.
    """

    picture: bytes
    size: tuple[int, int]
    at: tuple[tuple[float, float] | None, ...]


class Places:
    """Renders places of one scene, without a hand.

    Args:
        scene: Folder of the bundle.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is broken.
    """

    def __init__(self, scene: Path) -> None:
        self._bundle = SceneBundle.load(scene)
        self._views = SceneViews(self._bundle, SplatSurface(self._bundle))

    def spots(self, touches: Sequence[TouchResult]) -> list[bytes]:
        """The touched spots from near by, as JPEG files; each touch has a position and a normal."""
        if not touches:
            return []
        points = np.array([touch.position_m for touch in touches], np.float64)
        normals = np.array([touch.normal for touch in touches], np.float64)
        return [jpeg(picture) for picture in self._views.look_at_surface(points, normals)]

    def map(self, touches: Sequence[TouchResult]) -> PlaceMap:
        """The whole scene, and where touches are in it."""
        camera = global_camera(self._bundle, size=MAP_PX)
        whole = self._views.render([camera], None)[0]
        left, top, right, bottom = _filled(whole)
        at: list[tuple[float, float] | None] = []
        for touch in touches:
            place = None
            if len(touch.position_m) == 3:
                x, y, z = camera.rotation.inv().apply(np.array(touch.position_m) - camera.position)
                if z > 0.0:
                    place = float(camera.fx * x / z + camera.cx) - left, float(camera.fy * y / z + camera.cy) - top
            inside = place is not None and 0.0 <= place[0] <= right - left and 0.0 <= place[1] <= bottom - top
            at.append(place if inside else None)
        return PlaceMap(jpeg(whole[top:bottom, left:right]), (right - left, bottom - top), tuple(at))


def open_places(scenes: Iterable[str]) -> tuple[dict[str, Places], list[str]]:
    """What can be rendered, by folder of the scene; and folders that are not here any more, or broken."""
    found, unseen = {}, []
    for scene in dict.fromkeys(scenes):
        try:
            found[scene] = Places(Path(scene).expanduser())
        except (OSError, ValueError):  # noqa: PERF203  (few scenes)
            unseen.append(scene)
    return found, unseen


def _filled(picture: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what there is in a picture (H, W, 3) besides its background, px."""
    seen = (np.abs(picture.astype(np.int16) - picture[0, 0]) > SEEN).any(axis=2)
    if not seen.any():
        return 0, 0, picture.shape[1], picture.shape[0]
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
