"""A scene folder: splats, their place and size in the world, their cameras and materials."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.document import (
    FORMAT,
    HOW_TO_REGISTER,
    NO_MATERIAL,
    check_document,
    file_faults,
    material_faults,
    read_document,
    refuse,
)
from hearing_hands_ros.scene.npy import map_npy
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats
from hearing_hands_ros.whole_file import write_text

__all__ = ["NO_MATERIAL", "Registration", "SceneBundle", "Sfm"]

HASH_BLOCK = 1 << 20
SFM_FOLDER = "sfm"
SFM_PARTS = ("cameras", "images", "points3D")
SFM_FILES = (
    *(f"{part}.{end}" for part in (*SFM_PARTS, "rigs", "frames") for end in ("bin", "txt")),
    "descriptors.npz",
)


@dataclass(frozen=True)
class Registration:
    """Where the scene is, and how well that is known.

    Attributes:
        parent_frame: TF frame in metres that the scene was measured in.
        parent_from_splat: Splat units to metres of `parent_frame`.
        residual_mm: How well it fitted, root mean square.
        residual_deg: Likewise of the rotation.
    """

    parent_frame: str
    parent_from_splat: Sim3
    residual_mm: float
    residual_deg: float


@dataclass(frozen=True)
class Sfm:
    """Structure from motion that the splats were trained on; what finds a photo's place in the scene.

    Attributes:
        folder: COLMAP model (cameras, images, points3D), and what else finding a place needs.
        splat_from_sfm: Its units to splat units.
    """

    folder: Path
    splat_from_sfm: Sim3


@dataclass(frozen=True)
class SceneBundle:
    """Splats with their registration, cameras and materials.

    The scene's frame has the splats' axes and is in metres: metres in `frame_id` = scale * splat units. Rotation and
    translation are T_parent_from_scene, which a node publishes as a static transform. TF has no scale: it stays here.

    Attributes:
        name: Of the scene.
        splats: In splat units.
        frame_id: TF frame of the scene in metres.
        up: (3,) unit vector against gravity, in `frame_id`, which has the splats' axes.
        registration: None until somebody measured it; what needs metres then raises.
        cameras: Default views, of the photos where there are any; in splat units.
        viewpoints_m: (V, 3) where cameras stood, in `frame_id`; may be empty.
        sfm: What photos are found in the scene with, if it came along.
        material_names: Labels; an index into them is a material.
        labels: (N,) uint8, index of each Gaussian's material, 255 for none; given empty, all 255.
        sha256: Of the splat file, empty if never saved.
    """

    name: str
    splats: SplatScene
    frame_id: str
    up: NDArray[np.float64]
    registration: Registration | None = None
    cameras: tuple[Camera, ...] = ()
    viewpoints_m: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    sfm: Sfm | None = None
    material_names: tuple[str, ...] = ()
    labels: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.labels.size:
            object.__setattr__(self, "labels", np.full(len(self.splats), NO_MATERIAL, np.uint8))
        document = _document(self, "scene.spz")
        document["sha256"] = self.sha256 or "0" * 64
        wrong = check_document(document, registered=False)
        if self.labels.shape != (len(self.splats),):
            wrong.append(f"labels: wanted ({len(self.splats)},), one for each Gaussian, got {self.labels.shape}")
        wrong += _label_faults(self.labels, len(self.material_names))
        if wrong:
            refuse(f"SceneBundle({self.name!r})", wrong)

    @property
    def parent_frame(self) -> str:
        """TF frame that `frame_id` hangs under."""
        return self.registered.parent_frame

    @property
    def scale(self) -> float:
        """Metres per splat unit."""
        return self.registered.parent_from_splat.scale

    @property
    def rotation_wxyz(self) -> NDArray[np.float64]:
        """(4,) unit quaternion, T_parent_from_scene."""
        return self.registered.parent_from_splat.rotation_wxyz

    @property
    def translation_m(self) -> NDArray[np.float64]:
        """(3,) T_parent_from_scene."""
        return self.registered.parent_from_splat.translation

    @property
    def residual_mm(self) -> float:
        """How well the registration fitted, root mean square."""
        return self.registered.residual_mm

    @property
    def residual_deg(self) -> float:
        """Likewise of its rotation."""
        return self.registered.residual_deg

    @property
    def means_m(self) -> NDArray[np.float64]:
        """(N, 3) centres in metres in `frame_id`."""
        return self.splats.means.astype(np.float64) * self.scale

    @property
    def eyes_m(self) -> NDArray[np.float64]:
        """(V, 3) in metres in `frame_id`: the viewpoints, or else the places of the cameras."""
        if len(self.viewpoints_m):
            return self.viewpoints_m
        return np.array([camera.position for camera in self.cameras], np.float64).reshape(-1, 3) * self.scale

    @property
    def registered(self) -> Registration:
        """The registration.

        Raises:
            ValueError: There is none.
        """
        if self.registration is None:
            refuse(f"SceneBundle({self.name!r})", [HOW_TO_REGISTER])
        return self.registration

    def with_registration(self, registration: Registration) -> SceneBundle:
        """The same scene, elsewhere: what is in metres of its frame follows the new scale."""
        viewpoints = self.viewpoints_m
        if self.registration is not None:
            viewpoints = viewpoints * (registration.parent_from_splat.scale / self.scale)
        return replace(self, registration=registration, viewpoints_m=viewpoints)

    @classmethod
    def load(cls, folder: str | Path, registered: bool = True) -> SceneBundle:
        """Read a folder with `scene.yaml`.

        Args:
            folder: The scene.
            registered: Whether a scene that is not registered is refused.

        Raises:
            FileNotFoundError: There is no such folder or no `scene.yaml` in it.
            ValueError: Something in it is wrong; every fault that could be found is listed.
        """
        folder = Path(folder)
        path = folder / "scene.yaml"
        who = f"SceneBundle({str(folder)!r})"
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted a folder with scene.yaml, got nothing at {path}")
        document = read_document(path, who)
        faults = [f"scene.yaml: {fault}" for fault in check_document(document, registered)]
        splats = _load_splats(folder, document, faults)
        labels = _load_labels(folder, document, splats, faults)
        faults += _sfm_faults(folder, document)
        if faults or splats is None:
            refuse(who, faults)
        return cls(
            name=document["name"],
            splats=splats,
            frame_id=document["frame_id"],
            up=np.array(document["up"], np.float64),
            registration=_registration(document.get("registration")),
            cameras=tuple(Camera(**camera) for camera in document.get("cameras") or ()),
            viewpoints_m=np.array(document.get("viewpoints_m") or [], np.float64).reshape(-1, 3),
            sfm=_sfm(folder, document.get("sfm")),
            material_names=tuple((document.get("materials") or {"names": []})["names"]),
            labels=labels,
            sha256=document["sha256"],
        )

    def save(self, folder: str | Path, splats_file: str = "scene.spz") -> None:
        """Write `scene.yaml`, the splats, and where there are any, `labels.npy` and the folder `sfm`.

        Args:
            folder: Is made if missing; files of the same names are replaced.
            splats_file: Name in the folder; .spz is small and quantised, .ply is exact.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_splats(folder / splats_file, self.splats)
        document = _document(self, splats_file)
        document["sha256"] = _sha256(folder / splats_file)
        if self.material_names:
            np.save(folder / "labels.npy", self.labels)
        if self.sfm is not None and self.sfm.folder.resolve() != (folder / SFM_FOLDER).resolve():
            _copy_sfm(self.sfm.folder, folder / SFM_FOLDER)
        # scene.yaml last and at once: a folder that was cut off while saving has none, or one whose hash fails.
        text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120)
        write_text(folder / "scene.yaml", text)


def _document(bundle: SceneBundle, splats_file: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "format": FORMAT,
        "name": bundle.name,
        "splats": splats_file,
        "sha256": bundle.sha256,
        "frame_id": bundle.frame_id,
        "up": _numbers(bundle.up),
    }
    if bundle.registration is not None:
        document["registration"] = {
            "parent_frame": bundle.parent_frame,
            "scale": bundle.scale,
            "rotation_wxyz": _numbers(bundle.rotation_wxyz),
            "translation_m": _numbers(bundle.translation_m),
            "residual_mm": float(bundle.residual_mm),
            "residual_deg": float(bundle.residual_deg),
        }
    document["viewpoints_m"] = [_numbers(row) for row in bundle.viewpoints_m]
    if bundle.cameras:
        document["cameras"] = [_camera(camera) for camera in bundle.cameras]
    if bundle.sfm is not None:
        similarity = bundle.sfm.splat_from_sfm
        document["sfm"] = {
            "folder": SFM_FOLDER,
            "scale": similarity.scale,
            "rotation_wxyz": _numbers(similarity.rotation_wxyz),
            "translation": _numbers(similarity.translation),
        }
    if bundle.material_names:
        document["materials"] = {"names": list(bundle.material_names), "labels": "labels.npy"}
    return document


def _camera(camera: Camera) -> dict[str, Any]:
    return {
        "name": camera.name,
        "width": int(camera.width),
        "height": int(camera.height),
        **{key: float(getattr(camera, key)) for key in ("fx", "fy", "cx", "cy")},
        "rotation_wxyz": _numbers(camera.rotation_wxyz),
        "position": _numbers(camera.position),
    }


def _numbers(values: Any) -> list[float]:
    return [float(value) for value in values]


def _registration(document: Mapping[str, Any] | None) -> Registration | None:
    if document is None:
        return None
    similarity = Sim3(document["scale"], document["rotation_wxyz"], document["translation_m"])
    residuals = float(document["residual_mm"]), float(document["residual_deg"])
    return Registration(document["parent_frame"], similarity, *residuals)


def _sfm(folder: Path, document: Mapping[str, Any] | None) -> Sfm | None:
    if document is None:
        return None
    similarity = Sim3(document["scale"], document["rotation_wxyz"], document["translation"])
    return Sfm(folder.resolve() / document["folder"], similarity)


def _copy_sfm(source: Path, target: Path) -> None:
    """Copy the model and its descriptors, not the photos and databases beside them; what `target` held goes."""
    target.mkdir(exist_ok=True)
    for name in SFM_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
        else:
            (target / name).unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _label_faults(labels: NDArray[Any], names: int) -> list[str]:
    if labels.dtype != np.uint8:
        return [f"labels: wanted uint8, got {labels.dtype}"]
    bad = int(np.count_nonzero((labels >= names) & (labels != NO_MATERIAL)))
    if bad:
        top = int(labels[labels != NO_MATERIAL].max())
        return [f"labels: wanted 0 to {names - 1} or {NO_MATERIAL} for none, got {bad} others (up to {top})"]
    return []


def _load_splats(folder: Path, document: Mapping[Any, Any], faults: list[str]) -> SplatScene | None:
    name = document.get("splats")
    if not isinstance(name, str) or not name or file_faults("splats", name):
        return None
    path = folder / name
    wanted = document.get("sha256")
    try:
        if path.is_file() and isinstance(wanted, str) and (got := _sha256(path)) != wanted:
            said = f"sha256 wanted {wanted[:64]}, got {got}; the splats are not those that were registered"
            faults.append(f"{name}: {said}")
        return read_splats(path)
    except (OSError, ValueError) as error:
        faults.append(str(error))
        return None


def _load_labels(
    folder: Path, document: Mapping[Any, Any], splats: SplatScene | None, faults: list[str]
) -> NDArray[np.uint8]:
    none = np.full(0 if splats is None else len(splats), NO_MATERIAL, np.uint8)
    materials = document.get("materials")
    if not isinstance(materials, dict) or material_faults(materials):
        return none
    name = materials["labels"]
    if not (folder / name).is_file():
        faults.append(f"{name}: wanted the labels of the Gaussians, got nothing at {folder / name}")
        return none
    try:
        labels = np.array(map_npy(folder / name))  # a map would die with the file
    except ValueError as error:
        faults.append(f"{name}: {error}")
        return none
    if splats is not None and labels.shape != (len(splats),):
        faults.append(f"{name}: wanted ({len(splats)},), one label for each Gaussian, got {labels.shape}")
    faults += [f"{name}: {fault}" for fault in _label_faults(labels, len(materials["names"]))]
    return np.asarray(labels)


def _sfm_faults(folder: Path, document: Mapping[Any, Any]) -> list[str]:
    sfm = document.get("sfm")
    name = sfm.get("folder") if isinstance(sfm, dict) else None
    if not isinstance(name, str) or not name.strip() or file_faults("sfm.folder", name):
        return []
    parts = [
        part for part in SFM_PARTS if not any((folder / name / f"{part}.{end}").is_file() for end in ("bin", "txt"))
    ]
    if parts:
        return [f"{name}: wanted a COLMAP model (.bin or .txt), got a folder without {', '.join(parts)}"]
    return []
