"""A registration into a scene's folder."""

from __future__ import annotations

from pathlib import Path

import yaml

from hearing_hands_ros.scene.bundle import Registration
from hearing_hands_ros.scene.document import check_document, read_document, refuse
from hearing_hands_ros.whole_file import whole_file


def save_registration(folder: str | Path, registration: Registration) -> None:
    """Write a registration into `scene.yaml`, at once; the splats and all else in the folder are left alone.

    Viewpoints, which are in metres, follow the new scale.

    Args:
        folder: Of a scene that can be loaded.
        registration: Its new one; an old one is replaced.

    Raises:
        ValueError: The scene could not be loaded with it; `scene.yaml` is as it was.
    """
    path = Path(folder) / "scene.yaml"
    who = f"registration of '{folder}'"
    document = read_document(path, who)
    similarity = registration.parent_from_splat
    old = document.get("registration")
    if old and document.get("viewpoints_m"):
        growth = similarity.scale / float(old["scale"])
        document["viewpoints_m"] = [[float(value) * growth for value in row] for row in document["viewpoints_m"]]
    document["registration"] = {
        "parent_frame": registration.parent_frame,
        "scale": similarity.scale,
        "rotation_wxyz": [float(value) for value in similarity.rotation_wxyz],
        "translation_m": [float(value) for value in similarity.translation],
        "residual_mm": float(registration.residual_mm),
        "residual_deg": float(registration.residual_deg),
    }
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120)
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")
        if faults := check_document(read_document(draft, who)):
            refuse(who, faults)
