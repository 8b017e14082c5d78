"""Which program wrote a folder, and the scene bundle that is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.importers import colmap, gaussian_splatting, nerfstudio
from hearing_hands_ros.scene.importers.found import Found, common_up, look_for, spread
from hearing_hands_ros.scene.splats import read_splats

KINDS = ("nerfstudio", "3dgs", "colmap")


@dataclass(frozen=True)
class ImportOptions:
    """How a folder is read.

    Attributes:
        kind: Program that wrote it: `nerfstudio`, `3dgs`, `colmap`, or `auto`.
        frame_id: TF frame that the scene gets.
        max_cameras: Default views that are kept, spread out; 0 reads none.
        up: Against gravity, in the splats' axes; of the cameras if None.
        splats: The file, where it cannot be guessed.
        transforms: nerfstudio's `transforms.json`, likewise.
        sfm: Folder of the COLMAP model, likewise.
        aligned: Folder that `colmap model_aligner` wrote, in metres.
        parent_frame: TF frame of the aligned model.
    """

    kind: str = "auto"
    frame_id: str = "scene"
    max_cameras: int = 16
    up: Sequence[float] | None = None
    splats: Path | None = None
    transforms: Path | None = None
    sfm: Path | None = None
    aligned: Path | None = None
    parent_frame: str = "world"


def recognise(folder: Path) -> str:
    """Which program wrote a folder.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: None of those that are known.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"scene import: wanted a folder, got nothing at {folder}")
    if look_for(folder, ("dataparser_transforms.json",)):
        return "nerfstudio"
    if (folder / "cameras.json").is_file() or gaussian_splatting.newest(folder):
        return "3dgs"
    if colmap.models_in(folder):
        return "colmap"
    raise ValueError(
        f"scene import: wanted output of nerfstudio (dataparser_transforms.json), 3D Gaussian splatting (cameras.json) "
        f"or COLMAP (images.bin), got a folder with none of them: {folder}"
    )


def import_scene(folder: Path, name: str, options: ImportOptions) -> tuple[SceneBundle, Found]:
    """Make a bundle of another program's output.

    Args:
        folder: The output.
        name: Of the scene.
        options: How it is read.

    Returns:
        The bundle, not saved, and what it was made of.

    Raises:
        FileNotFoundError: Something is missing.
        ValueError: Something is wrong, or there is more than one of it.
    """
    kind = recognise(folder) if options.kind == "auto" else options.kind
    with_cameras = options.max_cameras > 0
    if kind == "nerfstudio":
        found = nerfstudio.find(folder, options.splats, options.transforms, options.sfm, with_cameras)
    elif kind == "3dgs":
        found = gaussian_splatting.find(folder, options.splats, options.sfm, with_cameras)
    elif kind == "colmap":
        place = options.splats, options.sfm, options.aligned, options.parent_frame
        found = colmap.find(folder, *place, with_cameras)
    else:
        raise ValueError(f"scene import: wanted one of {', '.join(KINDS)} or auto, got {kind!r}")
    bundle = SceneBundle(
        name=name,
        splats=read_splats(found.splats),
        frame_id=options.frame_id,
        up=common_up(found.cameras) if options.up is None else _direction(options.up),
        registration=found.registration,
        cameras=spread(found.cameras, options.max_cameras),
        sfm=found.sfm,
    )
    return bundle, found


def _direction(up: Sequence[float]) -> NDArray[np.float64]:
    vector = np.asarray(up, np.float64)
    length = float(np.linalg.norm(vector))
    if vector.shape != (3,) or not np.isfinite(length) or length == 0.0:
        raise ValueError(f"--up: wanted three numbers that are not all zero, got {list(up)}")
    return vector / length
