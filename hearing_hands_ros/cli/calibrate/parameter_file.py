"""A ROS parameter file into which calibrations are written, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hearing_hands_ros.whole_file import write_text

NODE = "sound_comparator"
SECTION = f"/**/{NODE}"
PARAMETERS = "ros__parameters"


def write_parameters(
    path: Path, base: Sequence[Path], parameters: Mapping[str, float | str], topic: str, note: str
) -> None:
    """Write parameters of `sound_comparator` beside those that files have already.

    The comment at the top of the file is kept; other comments are not.

    Args:
        path: The file.
        base: Files that are there, whose parameters are taken over; a later one wins.
        parameters: Of the comparator.
        topic: What was calibrated: one word.
        note: How it came about; a line of the comment at the top, in the place of an earlier one on this topic.

    Raises:
        ValueError: One of the files is no parameter file.
        OSError: It cannot be written; what was there is still there.
    """
    document: dict[str, Any] = {}
    head: list[str] = []
    for file in base:
        text = file.read_text(encoding="utf-8")
        _merge(document, _read(file, text))
        head = [line for line in text.split("\n\n", 1)[0].splitlines() if line.startswith("#")] or head
    _forget(document, set(parameters))
    _merge(document, {SECTION: {PARAMETERS: dict(parameters)}})
    head = [line for line in head if not line.startswith(f"# {topic}: ")] + [f"# {topic}: {note}"]
    text = yaml.safe_dump(document, sort_keys=False, width=120)
    write_text(path, "\n".join(head) + "\n\n" + text)


def _read(path: Path, text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"'{path}': wanted a parameter file, got: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ValueError(f"'{path}': wanted a parameter file, got {type(document).__name__}")  # noqa: TRY004
    return document


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _forget(document: dict[str, Any], names: set[str]) -> None:
    """Drop parameters of the comparator from every section that may be its: each stands in one place only."""
    for key, value in document.items():
        if not isinstance(value, dict):
            continue
        found = value.get(PARAMETERS)
        if isinstance(found, dict) and str(key).rsplit("/", 1)[-1] in (NODE, "*", "**"):
            for name in names & found.keys():
                del found[name]
        _forget(value, names)
