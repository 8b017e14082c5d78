"""Files and folders that are there whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place beside a file, which takes the file's place at the end.

    What it holds is on the disk before it does, so that even a power cut leaves the file as it was or as it is to be.

    Args:
        path: The file, in a folder that is there.

    Yields:
        Where to write: `path` with `.part` at its end.

    Raises:
        OSError: It cannot be written; what was there is still there.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        yield draft
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file of text, as `whole_file` does."""
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside one that is not there, which takes its name at the end.

    Args:
        path: The folder; those that it is in are made.

    Yields:
        Where to write: `path` with `.part` at its end; what a process that was killed left there is gone.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f"{path.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
