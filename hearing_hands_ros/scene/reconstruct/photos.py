"""The user's photos: which files they are, and whether they can be used at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from hearing_hands_ros.scene.registration.pixels import require_bytes
from hearing_hands_ros.whole_file import whole_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
PLAIN_FORMATS, PLAIN_MODES = {"JPEG": "jpg", "PNG": "png"}, ("RGB", "L")
FEWEST_PHOTOS = 3
LISTED = 8  # names in a message; more would hide what it says

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Photos:
    """Readable photos of one folder.

    Attributes:
        folder: Where they are.
        names: (P) file names, sorted.
        size: Width and height if all have the same, so that one camera with one lens can be assumed; else None.
        fingerprints: (P) hashes of the files, to notice that a photo was replaced.
    """

    folder: Path
    names: tuple[str, ...]
    size: tuple[int, int] | None
    fingerprints: tuple[str, ...]


def find_photos(folder: str | Path, report: Report) -> Photos:
    """Read every photo of a folder once; folders inside it are not looked into.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: There are fewer than 3 photos, or some cannot be read; names them.
    """
    folder = Path(folder)
    who = f"photos {str(folder)!r}"
    if not folder.is_dir():
        raise FileNotFoundError(f"{who}: wanted a folder with photos, got nothing there")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    if len(paths) < FEWEST_PHOTOS:
        got = listed([p.name for p in paths]) or "none"
        raise ValueError(f"{who}: wanted at least {FEWEST_PHOTOS} photos ({', '.join(SUFFIXES)}), got {got}")
    sizes, fingerprints, unreadable = set(), [], []
    for i, path in enumerate(paths):
        report("reading photos", i, len(paths))
        try:
            fingerprints.append(hashlib.sha256(path.read_bytes()).hexdigest())
            with Image.open(path) as image:
                require_bytes(image)
                image.load()
                sizes.add(image.size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow lets out
            unreadable.append(f"{path.name} ({str(error).replace(str(path), path.name) or type(error).__name__})")
    report("reading photos", len(paths), len(paths))
    if unreadable:
        raise ValueError(
            f"{who}: wanted {len(paths)} readable photos, got {len(unreadable)} that cannot be read; "
            f"mend or remove: {listed(unreadable)}"
        )
    size = sizes.pop() if len(sizes) == 1 else None
    return Photos(folder, tuple(path.name for path in paths), size, tuple(fingerprints))


def numbered(photos: Photos, folder: Path) -> Photos:
    """The same photos for COLMAP, as links named by number: its list of pairs knows no blanks in names.

    What is no plain JPEG or PNG becomes a PNG: Pillow reads more formats than COLMAP.
    """
    folder.mkdir(exist_ok=True)
    names = []
    for i, title in enumerate(photos.names):
        source = (photos.folder / title).resolve()
        with Image.open(source) as image:
            plain = image.format in PLAIN_FORMATS and image.mode in PLAIN_MODES
            path = folder / f"{i:06d}.{PLAIN_FORMATS[image.format or ''] if plain else 'png'}"
            if plain:
                _link(path, source)
            elif not path.is_file():
                with whole_file(path) as draft:
                    image.convert("RGB").save(draft, format="PNG")
        names.append(path.name)
    return replace(photos, folder=folder, names=tuple(names))


def _link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)  # the photos may have been moved since
    try:
        path.symlink_to(target)
    except OSError:
        shutil.copyfile(target, path)  # on a file system without links


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
