"""scene.yaml: read without trust, and every fault in it listed."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import yaml

FORMAT = 1
NO_MATERIAL = 255
LARGEST_BYTES = 512 << 10  # what is larger would take longer than a few seconds to read
MOST_CAMERAS = 1000
LARGEST_IMAGE = 100_000  # pixels along a side
REQUIRED_KEYS = ("format", "name", "splats", "sha256", "frame_id", "up")
OPTIONAL_KEYS = ("registration", "viewpoints_m", "cameras", "sfm", "materials")  # registration has a message of its own
REGISTRATION_KEYS = ("parent_frame", "scale", "rotation_wxyz", "translation_m", "residual_mm", "residual_deg")
CAMERA_KEYS = ("name", "width", "height", "fx", "fy", "cx", "cy", "rotation_wxyz", "position")
SFM_KEYS = ("folder", "scale", "rotation_wxyz", "translation")
HOW_TO_REGISTER = (
    "registration is missing, so nobody knows where and how large the scene is; measure three or more points both in "
    "the splats and in a TF frame and add 'registration: {parent_frame: world, scale: <metres per splat unit>, "
    "rotation_wxyz: [w, x, y, z], translation_m: [x, y, z], residual_mm: <fit error>, residual_deg: <fit error>}', "
    "where metres in frame_id = scale * splat units and rotation, translation map frame_id into parent_frame; or let "
    "'hearing-hands scene register' measure it"
)

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 120
_short.maxlist = _short.maxtuple = 8


class _PlainLoader(yaml.SafeLoader):
    """YAML without merged keys, which unfold a short text into a very long one while it is read."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "merged keys ('<<') are not read here", None)
        super().flatten_mapping(node)


class _Loader(_PlainLoader):
    """YAML without references too, with which a value can be very long."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "references are not read here", None)
        return super().compose_node(parent, index)


def load_yaml(path: Path, who: str, references: bool = True) -> Any:
    """What a YAML file holds.

    Args:
        path: The file.
        who: Begins the message.
        references: Whether `*name` may stand for what `&name` marked, as `yaml.dump` writes what is there twice. It
            can make a value far longer than the file; show it by `shown` only.

    Raises:
        ValueError: It is no YAML, or merges keys.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return yaml.load(text, _PlainLoader if references else _Loader)  # noqa: S506  (derived from SafeLoader)
    except Exception as error:  # dates, numbers and nesting that YAML allows and Python does not
        raise ValueError(f"{who}: wanted YAML, got something else: {error}") from error


def read_document(path: Path, who: str) -> dict[Any, Any]:
    """Read a scene.yaml as far as it is a mapping; what is in it is not looked at.

    Raises:
        ValueError: It is no YAML, no mapping, or too large.
    """
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise ValueError(f"{who}: {path.name}: wanted at most {LARGEST_BYTES} bytes, got {size}")
    document = load_yaml(path, f"{who}: {path.name}", references=False)
    if not isinstance(document, dict):
        refuse(who, [f"{path.name}: wanted keys and values, got {type(document).__name__}"])
    return document


class SceneFaultsError(ValueError):
    """Everything that is wrong with a scene.

    Attributes:
        faults: One a line of the message.
    """

    def __init__(self, who: str, faults: Sequence[str]) -> None:
        listed = f"{len(faults)} things are wrong:\n" + "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"{who}: {faults[0] if len(faults) == 1 else listed}")
        self.faults = tuple(faults)


def refuse(who: str, wrong: Sequence[str]) -> NoReturn:
    """Raise one error about all faults."""
    raise SceneFaultsError(who, wrong)


def check_document(document: Mapping[Any, Any], registered: bool = True) -> list[str]:
    """Everything that is wrong with a scene.yaml, without looking at other files.

    Args:
        document: What was read.
        registered: Whether a missing registration is a fault.
    """
    if "format" in document and document["format"] != FORMAT:
        return [f"format: wanted {FORMAT}, got {shown(document['format'])}"]  # the rest would be read by wrong rules
    faults = _key_faults("", document, REQUIRED_KEYS, OPTIONAL_KEYS)
    faults += _text_faults("", document, ("name", "splats", "sha256", "frame_id"))
    faults += file_faults("splats", document.get("splats"))
    faults += _frame_faults("frame_id", document.get("frame_id"))
    if "up" in document:
        faults += _vector_faults("up", document["up"], 3, unit=True)
    if document.get("registration") is not None:
        faults += _registration_faults(document["registration"], document.get("frame_id"))
    elif registered:
        faults.append(HOW_TO_REGISTER)
    viewpoints = document.get("viewpoints_m")
    if viewpoints is not None and not isinstance(viewpoints, list):
        faults.append(f"viewpoints_m: wanted a list of [x, y, z], got {shown(viewpoints)}")
    for index, point in enumerate(viewpoints if isinstance(viewpoints, list) else ()):
        faults += _vector_faults(f"viewpoints_m[{index}]", point, 3)
    faults += _camera_faults(document.get("cameras"))
    if document.get("sfm") is not None:
        faults += _sfm_faults(document["sfm"])
    if document.get("materials") is not None:
        faults += material_faults(document["materials"])
    return faults


def material_faults(materials: Any) -> list[str]:
    """What is wrong with the materials' names and the name of their file."""
    if not isinstance(materials, dict):
        return [f"materials: wanted names and labels, got {shown(materials)}"]
    faults = _key_faults("materials.", materials, ("names", "labels"), ())
    faults += _text_faults("materials.", materials, ("labels",))
    faults += file_faults("materials.labels", materials.get("labels"))
    names = materials.get("names", [""])
    if not (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        faults.append(f"materials.names: wanted a list of texts, got {shown(names)}")
    elif len(set(names)) != len(names):
        faults.append(f"materials.names: wanted each name once, got {shown(names)}")
    elif not 0 < len(names) < NO_MATERIAL:
        faults.append(f"materials.names: wanted 1 to {NO_MATERIAL - 1} names, got {len(names)}")
    return faults


def file_faults(key: str, value: Any) -> list[str]:
    """Whether a name leads out of the scene's folder, or can be no name."""
    if not isinstance(value, str):
        return []  # another check says so
    if (
        Path(value).is_absolute()
        or ".." in Path(value).parts
        or "\0" in value
        or len(value.encode("utf-8", "replace")) > 200
    ):
        return [f"{key}: wanted a file inside the scene's folder, got {shown(value)}"]
    return []


def shown(value: Any) -> str:
    """A value as a message can hold it: cut where it is long or deep."""
    return _short.repr(value)


def _registration_faults(registration: Any, frame_id: Any) -> list[str]:
    if not isinstance(registration, dict):
        return [f"registration: wanted keys and values, got {shown(registration)}"]
    faults = _key_faults("registration.", registration, REGISTRATION_KEYS, ())
    faults += _text_faults("registration.", registration, ("parent_frame",))
    parent = registration.get("parent_frame")
    faults += _frame_faults("registration.parent_frame", parent)
    if isinstance(parent, str) and parent == frame_id:
        faults.append(f"registration.parent_frame: wanted another frame than frame_id, got {shown(parent)} for both")
    faults += _similarity_faults("registration", registration, "translation_m")
    faults += [
        f"registration.{key}: wanted a number, zero or more, got {shown(registration[key])}"
        for key in ("residual_mm", "residual_deg")
        if key in registration and not (_is_number(registration[key]) and registration[key] >= 0)
    ]
    return faults


def _frame_faults(key: str, frame: Any) -> list[str]:
    if isinstance(frame, str) and frame.startswith("/"):
        return [f"{key}: wanted a TF frame without leading '/', got {shown(frame)}"]
    return []


def _sfm_faults(sfm: Any) -> list[str]:
    if not isinstance(sfm, dict):
        return [f"sfm: wanted keys and values, got {shown(sfm)}"]
    faults = _key_faults("sfm.", sfm, SFM_KEYS, ())
    faults += _text_faults("sfm.", sfm, ("folder",)) + file_faults("sfm.folder", sfm.get("folder"))
    return faults + _similarity_faults("sfm", sfm, "translation")


def _similarity_faults(where: str, mapping: Mapping[Any, Any], translation: str) -> list[str]:
    faults = []
    if "scale" in mapping and not (_is_number(mapping["scale"]) and mapping["scale"] > 0):
        faults.append(f"{where}.scale: wanted a positive number, got {shown(mapping['scale'])}")
    elif "scale" in mapping and not 1e-6 <= mapping["scale"] <= 1e6:
        faults.append(f"{where}.scale: wanted 1e-6 to 1e6, got {shown(mapping['scale'])}")
    if "rotation_wxyz" in mapping:
        faults += _vector_faults(f"{where}.rotation_wxyz", mapping["rotation_wxyz"], 4, unit=True)
    if translation in mapping:
        faults += _vector_faults(f"{where}.{translation}", mapping[translation], 3)
    return faults


def _camera_faults(cameras: Any) -> list[str]:
    if cameras is None:
        return []
    if not isinstance(cameras, list) or len(cameras) > MOST_CAMERAS:
        return [f"cameras: wanted a list of at most {MOST_CAMERAS} cameras, got {shown(cameras)}"]
    faults = []
    for index, camera in enumerate(cameras):
        where = f"cameras[{index}]"
        if not isinstance(camera, dict):
            faults.append(f"{where}: wanted keys and values, got {shown(camera)}")
            continue
        faults += _key_faults(f"{where}.", camera, CAMERA_KEYS, ())
        faults += _text_faults(f"{where}.", camera, ("name",))
        for key in ("width", "height"):
            value = camera.get(key, 1)
            if not (type(value) is int and 0 < value <= LARGEST_IMAGE):
                faults.append(f"{where}.{key}: wanted 1 to {LARGEST_IMAGE} pixels, got {shown(value)}")
        for key in ("fx", "fy", "cx", "cy"):
            value = camera.get(key, 1.0)
            if not _is_number(value) or (key[0] == "f" and value <= 0):
                faults.append(f"{where}.{key}: wanted a {'positive ' * (key[0] == 'f')}number, got {shown(value)}")
        if "rotation_wxyz" in camera:
            faults += _vector_faults(f"{where}.rotation_wxyz", camera["rotation_wxyz"], 4, unit=True)
        if "position" in camera:
            faults += _vector_faults(f"{where}.position", camera["position"], 3)
    return faults


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e30 < value < 1e30


def _vector_faults(name: str, value: Any, length: int, unit: bool = False) -> list[str]:
    if not (isinstance(value, list) and len(value) == length and all(_is_number(v) for v in value)):
        return [f"{name}: wanted {length} finite numbers, got {shown(value)}"]
    norm = float(np.linalg.norm(np.array(value, np.float64)))
    if unit and abs(norm - 1.0) > 1e-3:
        return [f"{name}: wanted length 1, got length {norm:.6g}"]
    return []


def _key_faults(
    where: str, mapping: Mapping[Any, Any], required: tuple[str, ...], optional: tuple[str, ...]
) -> list[str]:
    faults = [f"{where}{key}: missing" for key in required if key not in mapping]
    known = (*required, *optional)
    unknown = [key for key in mapping if key not in known]
    faults += [f"{where}{str(key)[:80]}: unknown key, wanted one of {', '.join(known)}" for key in unknown[:20]]
    if len(unknown) > 20:
        faults.append(f"{where}*: {len(unknown) - 20} more unknown keys")
    return faults


def _text_faults(where: str, mapping: Mapping[Any, Any], keys: tuple[str, ...]) -> list[str]:
    return [
        f"{where}{key}: wanted a text, got {shown(mapping[key])}"
        for key in keys
        if key in mapping and not (isinstance(mapping[key], str) and mapping[key].strip())
    ]
