"""What of a reconstruction is finished, kept beside it, so that a second run goes on where the first one stopped."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearing_hands_ros.scene.document import read_document
from hearing_hands_ros.scene.reconstruct.photos import Photos
from hearing_hands_ros.whole_file import write_text

FOLDER = ".work"
FILE = "state.json"
FORMAT = 1  # of the folder: what stages leave in it, under which names


@dataclass
class Work:
    """The folder of intermediate results inside a bundle that is being made.

    Attributes:
        folder: `<bundle>/.work`.
        key: What the work is made of; another key is other work.
        done: Stages that are finished, with what is worth telling of each.
        begun_anew: Why earlier results were dropped; empty if they were not.
    """

    folder: Path
    key: dict[str, Any]
    done: dict[str, dict[str, Any]]
    begun_anew: str = ""

    @classmethod
    def open(cls, bundle: Path, photos: Photos, options: dict[str, Any], force: bool = False) -> Work:
        """Go on with a bundle's work, or begin it.

        Args:
            bundle: Folder of the bundle; is made if missing.
            photos: What the work is made of.
            options: What else decides the result.
            force: Whether earlier work may be dropped although the bundle loses what photos do not bring back.

        Raises:
            ValueError: The folder holds something that was not begun here, or something would be lost.
        """
        folder = bundle / FOLDER
        key: dict[str, Any] = {"photos": dict(zip(photos.names, photos.fingerprints, strict=True)), **options}
        state = _read(folder / FILE)
        if state is None and bundle.exists() and any(bundle.iterdir()) and not folder.exists():
            raise ValueError(
                f"scene build: wanted a new or empty folder, or one that an earlier build left, got {str(bundle)!r} "
                "with other things in it"
            )
        why = ""
        if folder.exists():
            why = _why_anew(state, key)
            if state is not None and not why:
                return cls(folder, key, dict(state["done"]))
            if not force:
                trained = state is not None and "training" in state["done"]
                refuse_loss(bundle, lost_anew(bundle, trained), why)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        work = cls(folder, key, {}, begun_anew=why)
        work._write()
        return work

    def finish(self, stage: str, **facts: Any) -> None:
        """Note that a stage is done, and JSON values to tell of it."""
        self.done[stage] = facts
        self._write()

    def _write(self) -> None:
        state = {"format": FORMAT, "key": self.key, "done": self.done}
        write_text(self.folder / FILE, json.dumps(state, indent=1))


def lost_anew(bundle: Path, trained: bool) -> list[str]:
    """What a bundle would lose if it were begun anew."""
    if not (bundle / "scene.yaml").is_file():
        return []
    document = read_document(bundle / "scene.yaml", "scene build")
    parts = {"its registration": bool(document.get("registration")), "its materials": bool(document.get("materials"))}
    return [what for what, there in {**parts, "its trained Gaussians": trained}.items() if there]


def refuse_loss(bundle: Path, lost: list[str], why: str) -> None:
    """Raise if something would be lost.

    Raises:
        ValueError: Says what.
    """
    if lost:
        raise ValueError(
            f"scene build: {why}, and {str(bundle)!r} would lose {', '.join(lost)}; choose another --out, or --force"
        )


def _why_anew(state: dict[str, Any] | None, key: dict[str, Any]) -> str:
    """Why work cannot be gone on with; empty if it can."""
    if state is None:
        return f"the earlier run left no {FILE} that can be read"
    if state.get("format") != FORMAT:
        return "the earlier run was by another version of this program"
    return "" if state["key"] == key else "photos or options are not those of the earlier run"


def _read(path: Path) -> dict[str, Any] | None:
    """The state, or None if there is none or it was cut off."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(state, dict) and isinstance(state.get("done"), dict) and isinstance(state.get("key"), dict)
    return state if whole else None
