"""Files of YAML, and checks of what they say: each names who, what was wanted and what was got."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from hearing_hands_ros.whole_file import write_text


def read_document(who: str, path: Path, form: str) -> dict[str, object]:
    """Read what `write_document` wrote.

    Args:
        who: For errors.
        path: The file.
        form: What its field `format` must say.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no YAML, or of another format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted a file, got nothing at {path}")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{who}: wanted YAML, got {error}") from error
    if not isinstance(document, dict) or document.get("format") != form:
        found = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise ValueError(f"{who}: format wanted {form!r}, got {found!r}")
    return document


def write_document(path: Path, document: Mapping[str, object]) -> None:
    """Write YAML, whole or not at all; the folder must exist.

    Raises:
        OSError: It cannot be written; what was there is still there.
    """
    write_text(path, yaml.safe_dump(dict(document), sort_keys=False, default_flow_style=None, width=120))


def checked_mapping(who: str, value: object, keys: Iterable[str] | None = None) -> dict[str, object]:
    """A mapping of text to anything.

    Args:
        who: File and field, for errors.
        value: To be checked.
        keys: Exactly these are wanted; None takes any.

    Raises:
        ValueError: It is no mapping, a key is no text, or other keys are in it.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{who}: wanted a mapping with names for keys, got {value!r}")
    if keys is not None and set(value) != set(keys):
        raise ValueError(f"{who}: wanted the fields {sorted(keys)}, got {sorted(value)}")
    return value


def checked_numbers(who: str, value: object, count: int | None = None) -> tuple[float, ...]:
    """A list of finite numbers.

    Args:
        who: File and field, for errors.
        value: To be checked.
        count: How many are wanted; None takes any number of them.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, list) or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in value):
        raise ValueError(f"{who}: wanted a list of numbers, got {value!r}")
    bad = sum(not math.isfinite(v) for v in value)
    if bad:
        raise ValueError(f"{who}: wanted finite numbers, got {bad} that are not")
    if count is not None and len(value) != count:
        raise ValueError(f"{who}: wanted {count} numbers, got {len(value)}")
    return tuple(float(v) for v in value)


def checked_text(who: str, value: object) -> str:
    """A text.

    Args:
        who: File and field, for errors.
        value: To be checked.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, str):
        raise ValueError(f"{who}: wanted text, got {value!r}")  # noqa: TRY004
    return value
