"""A scene folder: splats, their place and size in the world, their materials."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import yaml
from numpy.typing import NDArray

from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats

FORMAT = 1
NO_MATERIAL = 255
REGISTRATION_KEYS = ("parent_frame", "scale", "rotation_wxyz", "translation_m", "residual_mm", "residual_deg")
REQUIRED_KEYS = ("format", "name", "splats", "sha256", "frame_id", "up")
OPTIONAL_KEYS = ("registration", "viewpoints_m", "materials")  # a missing registration has a message of its own
HOW_TO_REGISTER = (
    "registration is missing, so nobody knows where and how large the scene is; measure three or more points both in "
    "the splats and in a TF frame and add 'registration: {parent_frame: world, scale: <metres per splat unit>, "
    "rotation_wxyz: [w, x, y, z], translation_m: [x, y, z], residual_mm: <fit error>, residual_deg: <fit error>}', "
    "where metres in frame_id = scale * splat units and rotation, translation map frame_id into parent_frame"
)


@dataclass(frozen=True)
class SceneBundle:
    """Splats with their registration and materials.

    metres in `frame_id` = scale * splat units; rotation and translation are T_parent_from_scene, which a node publishes
    as a static transform. TF has no scale, so the scale stays here.

    Attributes:
        name: Of the scene.
        splats: In splat units.
        frame_id: TF frame of the scene in metres.
        up: (3,) unit vector against gravity, in `frame_id`.
        parent_frame: TF frame that `frame_id` hangs under.
        scale: Metres per splat unit.
        rotation_wxyz: (4,) unit quaternion, T_parent_from_scene.
        translation_m: (3,) T_parent_from_scene.
        residual_mm: How well the registration fitted, root mean square.
        residual_deg: Likewise of its rotation.
        viewpoints_m: (V, 3) where cameras stood, in `frame_id`; may be empty.
        material_names: Labels; an index into them is a material.
        labels: (N,) uint8, index of each Gaussian's material, 255 for none.
        sha256: Of the splat file, empty if never saved.
    """

    name: str
    splats: SplatScene
    frame_id: str
    up: NDArray[np.float64]
    parent_frame: str
    scale: float
    rotation_wxyz: NDArray[np.float64]
    translation_m: NDArray[np.float64]
    residual_mm: float
    residual_deg: float
    viewpoints_m: NDArray[np.float64]
    material_names: tuple[str, ...]
    labels: NDArray[np.uint8]
    sha256: str = ""

    def __post_init__(self) -> None:
        document = _document(self, "scene.spz", "labels.npy")
        document["sha256"] = self.sha256 or "0" * 64
        wrong = _check(document)
        if self.labels.shape != (len(self.splats),):
            wrong.append(f"labels: wanted ({len(self.splats)},), one for each Gaussian, got {self.labels.shape}")
        wrong += _check_labels(self.labels, len(self.material_names))
        if wrong:
            _refuse(f"SceneBundle({self.name!r})", wrong)

    @property
    def means_m(self) -> NDArray[np.float64]:
        """(N, 3) centres in metres in `frame_id`."""
        return self.splats.means.astype(np.float64) * self.scale

    @classmethod
    def load(cls, folder: str | Path) -> SceneBundle:
        """Read a folder with `scene.yaml`.

        Raises:
            FileNotFoundError: There is no such folder or no `scene.yaml` in it.
            ValueError: Something in it is wrong; every fault that could be found is listed.
        """
        folder = Path(folder)
        path = folder / "scene.yaml"
        who = f"SceneBundle({str(folder)!r})"
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted a folder with scene.yaml, got nothing at {path}")
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{who}: scene.yaml: wanted YAML, got something else: {error}") from error
        if not isinstance(document, dict):
            _refuse(who, [f"scene.yaml: wanted keys and values, got {type(document).__name__}"])
        faults = [f"scene.yaml: {fault}" for fault in _check(document)]
        splats = _load_splats(folder, document, faults)
        labels = _load_labels(folder, document, splats, faults)
        if faults or splats is None:
            _refuse(who, faults)
        registration = document["registration"]
        return cls(
            name=document["name"],
            splats=splats,
            frame_id=document["frame_id"],
            up=np.array(document["up"], np.float64),
            parent_frame=registration["parent_frame"],
            scale=float(registration["scale"]),
            rotation_wxyz=np.array(registration["rotation_wxyz"], np.float64),
            translation_m=np.array(registration["translation_m"], np.float64),
            residual_mm=float(registration["residual_mm"]),
            residual_deg=float(registration["residual_deg"]),
            viewpoints_m=np.array(document.get("viewpoints_m") or [], np.float64).reshape(-1, 3),
            material_names=tuple((document.get("materials") or {"names": []})["names"]),
            labels=labels,
            sha256=document["sha256"],
        )

    def save(self, folder: str | Path, splats_file: str = "scene.spz") -> None:
        """Write `scene.yaml`, the splats and, where there are materials, `labels.npy`.

        Args:
            folder: Is made if missing; files of the same names are replaced.
            splats_file: Name in the folder; .spz is small and quantised, .ply is exact.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_splats(folder / splats_file, self.splats)
        document = _document(self, splats_file, "labels.npy")
        document["sha256"] = hashlib.sha256((folder / splats_file).read_bytes()).hexdigest()
        if self.material_names:
            np.save(folder / "labels.npy", self.labels)
        # scene.yaml last and at once: a folder that was cut off while saving has none, or one whose hash fails.
        draft = folder / "scene.yaml.part"
        text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120)
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / "scene.yaml")


def _document(bundle: SceneBundle, splats_file: str, labels_file: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "format": FORMAT,
        "name": bundle.name,
        "splats": splats_file,
        "sha256": bundle.sha256,
        "frame_id": bundle.frame_id,
        "up": [float(v) for v in bundle.up],
        "registration": {
            "parent_frame": bundle.parent_frame,
            "scale": float(bundle.scale),
            "rotation_wxyz": [float(v) for v in bundle.rotation_wxyz],
            "translation_m": [float(v) for v in bundle.translation_m],
            "residual_mm": float(bundle.residual_mm),
            "residual_deg": float(bundle.residual_deg),
        },
        "viewpoints_m": [[float(v) for v in row] for row in bundle.viewpoints_m],
    }
    if bundle.material_names:
        document["materials"] = {"names": list(bundle.material_names), "labels": labels_file}
    return document


def _refuse(who: str, wrong: list[str]) -> NoReturn:
    if len(wrong) == 1:
        raise ValueError(f"{who}: {wrong[0]}")
    raise ValueError(f"{who}: {len(wrong)} things are wrong:\n" + "\n".join(f"  - {fault}" for fault in wrong))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))


def _vector_fault(name: str, value: Any, length: int, unit: bool = False) -> list[str]:
    if not (isinstance(value, list) and len(value) == length and all(_is_number(v) for v in value)):
        return [f"{name}: wanted {length} finite numbers, got {value!r}"]
    norm = float(np.linalg.norm(np.array(value, np.float64)))
    if unit and abs(norm - 1.0) > 1e-3:
        return [f"{name}: wanted length 1, got length {norm:.6g}"]
    return []


def _key_faults(
    where: str, mapping: Mapping[Any, Any], required: tuple[str, ...], optional: tuple[str, ...]
) -> list[str]:
    faults = [f"{where}{key}: missing" for key in required if key not in mapping]
    known = (*required, *optional)
    faults += [f"{where}{key}: unknown key, wanted one of {', '.join(known)}" for key in mapping if key not in known]
    return faults


def _text_faults(where: str, mapping: Mapping[Any, Any], keys: tuple[str, ...]) -> list[str]:
    return [
        f"{where}{key}: wanted a text, got {mapping[key]!r}"
        for key in keys
        if key in mapping and not (isinstance(mapping[key], str) and mapping[key].strip())
    ]


def _check(document: Mapping[Any, Any]) -> list[str]:
    """Return everything that is wrong with a scene.yaml, without looking at other files."""
    if "format" in document and document["format"] != FORMAT:
        return [f"format: wanted {FORMAT}, got {document['format']!r}"]  # the rest would be read by wrong rules
    faults = _key_faults("", document, REQUIRED_KEYS, OPTIONAL_KEYS)
    faults += _text_faults("", document, ("name", "splats", "sha256", "frame_id"))
    faults += _file_faults("splats", document.get("splats"))
    if isinstance(document.get("frame_id"), str) and document["frame_id"].startswith("/"):
        faults.append(f"frame_id: wanted a TF frame without leading '/', got {document['frame_id']!r}")
    if "up" in document:
        faults += _vector_fault("up", document["up"], 3, unit=True)
    faults += _check_registration(document)
    viewpoints = document.get("viewpoints_m")
    if viewpoints is not None:
        if not isinstance(viewpoints, list):
            faults.append(f"viewpoints_m: wanted a list of [x, y, z], got {viewpoints!r}")
        else:
            for index, point in enumerate(viewpoints):
                faults += _vector_fault(f"viewpoints_m[{index}]", point, 3)
    materials = document.get("materials")
    if materials is not None:
        faults += _check_materials(materials)
    return faults


def _file_faults(key: str, value: Any) -> list[str]:
    if isinstance(value, str) and (Path(value).is_absolute() or ".." in Path(value).parts):
        return [f"{key}: wanted a file inside the scene's folder, got {value!r}"]
    return []


def _check_registration(document: Mapping[Any, Any]) -> list[str]:
    registration = document.get("registration")
    if registration is None:
        return [HOW_TO_REGISTER]
    if not isinstance(registration, dict):
        return [f"registration: wanted keys and values, got {registration!r}"]
    faults = _key_faults("registration.", registration, REGISTRATION_KEYS, ())
    faults += _text_faults("registration.", registration, ("parent_frame",))
    parent = registration.get("parent_frame")
    if isinstance(parent, str) and parent == document.get("frame_id"):
        faults.append(f"registration.parent_frame: wanted another frame than frame_id, got {parent!r} for both")
    if "scale" in registration and not (_is_number(registration["scale"]) and registration["scale"] > 0):
        faults.append(f"registration.scale: wanted a positive number, got {registration['scale']!r}")
    if "rotation_wxyz" in registration:
        faults += _vector_fault("registration.rotation_wxyz", registration["rotation_wxyz"], 4, unit=True)
    if "translation_m" in registration:
        faults += _vector_fault("registration.translation_m", registration["translation_m"], 3)
    faults += [
        f"registration.{key}: wanted a number, zero or more, got {registration[key]!r}"
        for key in ("residual_mm", "residual_deg")
        if key in registration and not (_is_number(registration[key]) and registration[key] >= 0)
    ]
    return faults


def _check_materials(materials: Any) -> list[str]:
    if not isinstance(materials, dict):
        return [f"materials: wanted names and labels, got {materials!r}"]
    faults = _key_faults("materials.", materials, ("names", "labels"), ())
    faults += _text_faults("materials.", materials, ("labels",))
    faults += _file_faults("materials.labels", materials.get("labels"))
    names = materials.get("names", [""])
    if not (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        faults.append(f"materials.names: wanted a list of texts, got {names!r}")
    elif len(set(names)) != len(names):
        faults.append(f"materials.names: wanted each name once, got {names!r}")
    elif not 0 < len(names) < NO_MATERIAL:
        faults.append(f"materials.names: wanted 1 to {NO_MATERIAL - 1} names, got {len(names)}")
    return faults


def _check_labels(labels: NDArray[Any], names: int) -> list[str]:
    if labels.dtype != np.uint8:
        return [f"labels: wanted uint8, got {labels.dtype}"]
    bad = int(np.count_nonzero((labels >= names) & (labels != NO_MATERIAL)))
    if bad:
        top = int(labels[labels != NO_MATERIAL].max())
        return [f"labels: wanted 0 to {names - 1} or {NO_MATERIAL} for none, got {bad} others (up to {top})"]
    return []


def _load_splats(folder: Path, document: Mapping[Any, Any], faults: list[str]) -> SplatScene | None:
    name = document.get("splats")
    if not isinstance(name, str) or not name or _file_faults("splats", name):
        return None
    path = folder / name
    wanted = document.get("sha256")
    if path.is_file() and isinstance(wanted, str):
        got = hashlib.sha256(path.read_bytes()).hexdigest()
        if got != wanted:
            faults.append(f"{name}: sha256 wanted {wanted}, got {got}; the splats are not those that were registered")
    try:
        return read_splats(path)
    except (FileNotFoundError, ValueError) as error:
        faults.append(str(error))
        return None


def _load_labels(
    folder: Path, document: Mapping[Any, Any], splats: SplatScene | None, faults: list[str]
) -> NDArray[np.uint8]:
    none = np.full(0 if splats is None else len(splats), NO_MATERIAL, np.uint8)
    materials = document.get("materials")
    if not isinstance(materials, dict) or _check_materials(materials):
        return none
    name = materials["labels"]
    try:
        labels = np.load(folder / name, allow_pickle=False)
    except FileNotFoundError:
        faults.append(f"{name}: wanted the labels of the Gaussians, got nothing at {folder / name}")
        return none
    except (OSError, ValueError, EOFError) as error:
        faults.append(f"{name}: wanted a .npy file, got one that cannot be read: {error}")
        return none
    if splats is not None and labels.shape != (len(splats),):
        faults.append(f"{name}: wanted ({len(splats)},), one label for each Gaussian, got {labels.shape}")
    faults += [f"{name}: {fault}" for fault in _check_labels(labels, len(materials["names"]))]
    return np.asarray(labels)
