"""One recording replayed with one model: a folder that is computed once, whatever is called how often."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml

from hearing_hands_ros import __version__
from hearing_hands_ros.fleet.leash import Leash
from hearing_hands_ros.replay.result import read_results

BLOCK: Final = 1 << 20
KEPT, DONE, FAILED = "kept", "done", "failed"


@dataclass(frozen=True)
class Cell:
    """What is replayed with what.

    Attributes:
        bag: The recording.
        model: Folder of the model.
        scene: Folder of the scene.
        calibration: File with the scores of normal touches, made with this model.
        params_file: Parameters of the graph.
        labels: File that says which touches are odd.
        audio_topic: Of the microphone; empty for the recording's only one.
        views: How a checkpoint sees what is touched; empty for the default.
        device: Where it computes; likewise.
    """

    bag: Path
    model: Path
    scene: Path
    calibration: Path | None = None
    params_file: Path | None = None
    labels: Path | None = None
    audio_topic: str = ""
    views: str = ""
    device: str = ""

    @property
    def name_of_model(self) -> str:
        """Of its folder."""
        return self.model.resolve().name

    def key(self) -> str:
        """Digest of the contents of everything that the result depends on; names and places do not count.

        Raises:
            FileNotFoundError: Something is not there.
        """
        contents: dict[str, str] = {"version": __version__}
        for item in fields(self):
            value = getattr(self, item.name)
            contents[item.name] = digest(value.resolve()) if isinstance(value, Path) else value or ""
        if self.params_file is not None:
            contents["named in params_file"] = " ".join(map(digest, _named(self.params_file)))
        return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()

    def words(self, out: Path, processors: int) -> list[str]:
        """The command that replays it into a folder."""
        words = ["replay", str(self.bag), "--out", str(out), "--jobs", str(processors)]
        for item in fields(self):
            if item.name != "bag" and (value := getattr(self, item.name)):
                words += [f"--{item.name.replace('_', '-')}", str(value)]
        return words


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Attributes:
        cell: The cell.
        state: `KEPT` from before, `DONE` now, or `FAILED`.
        reason: Why it failed; else empty.
        folder: Of its results; None if it failed.
    """

    cell: Cell
    state: str
    reason: str = ""
    folder: Path | None = None


def replayed(cell: Cell, cells: Path, processors: int, leash: Leash) -> Outcome:
    """Replay a cell in a process of its own, unless its results are there; whatever goes wrong is its outcome.

    Args:
        cell: The cell.
        cells: Folder that holds a folder for each cell.
        processors: That it may use.
        leash: Ends it.
    """
    try:
        folder = cells / f"{cell.bag.stem}-{cell.name_of_model}-{cell.key()[:16]}"
        if _is_whole(folder):
            return Outcome(cell, KEPT, folder=folder)
        draft = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        reason = _run(cell.words(draft, processors), processors, leash) or read_results(draft).run.ended
        if reason:
            return Outcome(cell, FAILED, reason)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    except (OSError, ValueError, yaml.YAMLError) as error:
        return Outcome(cell, FAILED, str(error))
    return Outcome(cell, DONE, folder=folder)


def digest(path: Path) -> str:
    """SHA-256 of the names and contents of all files in a folder, or of the contents of one file.

    Raises:
        FileNotFoundError: There is neither.
    """
    if not path.exists():
        raise FileNotFoundError(f"wanted a file or a folder, found nothing at '{path}'")
    found = hashlib.sha256()
    for file in _files(path):
        now = file.stat()
        found.update(f"{file.relative_to(path)} {_contents(file, now.st_size, now.st_mtime_ns)}\n".encode())
    return found.hexdigest()


def is_same_recording(one: Path, other: Path) -> bool:
    """Whether two bags hold the same messages, byte for byte, whatever they and their files are called.

    Raises:
        OSError: One cannot be read.
    """
    if one.resolve() == other.resolve():
        return True
    sizes, contents = [], []
    for bag in (one, other):
        files = [file for file in _files(bag) if file.suffix != ".yaml"]
        stats = [file.stat() for file in files]
        sizes.append([stat.st_size for stat in stats])
        contents.append([(file, stat.st_size, stat.st_mtime_ns) for file, stat in zip(files, stats, strict=True)])
    return sizes[0] == sizes[1] != [] and all(
        _contents(*mine) == _contents(*theirs) for mine, theirs in zip(*contents, strict=True)
    )


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())


@lru_cache(maxsize=4096)  # each recording is asked for once a model
def _contents(file: Path, size: int, changed_ns: int) -> str:  # noqa: ARG001  (a file that changed is read again)
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def _named(params_file: Path) -> list[Path]:
    """Files that parameters name, such as the calibration."""
    found, waiting = [], [yaml.safe_load(params_file.read_text(encoding="utf-8"))]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, str) and Path(value).expanduser().is_file():
            found.append(Path(value).expanduser())
    return found


def _is_whole(folder: Path) -> bool:
    try:
        return read_results(folder).run.is_whole
    except (OSError, ValueError):
        return False


def _run(words: list[str], processors: int, leash: Leash) -> str:
    """Run a `hearing-hands` command; say why it failed, empty if it did not."""
    limits = {name: str(processors) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if name not in os.environ}
    done = leash.run(words, {**os.environ, **limits})
    if done.returncode == 0:
        return ""
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    last = said[-1].removeprefix("hearing-hands replay: ") if said else "it said nothing"
    if done.returncode < 0:
        return f"its process was ended by signal {-done.returncode} (9: out of memory?); {last}"
    return last
