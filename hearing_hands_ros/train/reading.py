"""YAML and `key=value` into dataclasses, strictly: what does not fit is refused, what was probably meant is named."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml

T = TypeVar("T")


def read(default: T, values: object, who: str, path: str = "") -> T:
    """Make a dataclass of a mapping; what is not mentioned is as in the default.

    Args:
        default: A dataclass of numbers, texts, `Literal`s, tuples of numbers and further dataclasses.
        values: What was read.
        who: Begins the message: the file.
        path: Of `values` in the file, as `optimizer.`.

    Raises:
        ValueError: A key is unknown, or a value does not fit; the message names the key.
    """
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise ValueError(f"{who}: {path.rstrip('.') or 'document'} wanted keys and values, got {values!r}")  # noqa: TRY004
    known = get_type_hints(type(default))
    for key in values:
        if key not in known:
            raise ValueError(f"{who}: {path}{key}: no such key{meant(f'{path}{key}', [path + name for name in known])}")
    made: dict[str, Any] = {}
    for name, value in values.items():
        before = getattr(default, name)
        if is_dataclass(before):
            made[name] = read(before, value, who, f"{path}{name}.")
        else:
            made[name] = _value(known[name], value, who, path + name)
    try:
        return replace(default, **made)  # type: ignore[type-var]
    except ValueError as error:
        raise ValueError(f"{who}: {path.rstrip('.')}: {error}" if path else f"{who}: {error}") from error


def override(document: Mapping[str, Any], words: Sequence[str], known: Iterable[str]) -> dict[str, Any]:
    """Put `key=value` words into a document.

    Args:
        document: Of a file; is left as it is.
        words: Such as `optimizer.learning_rate=1e-4`; the value is YAML.
        known: All keys, with dots.

    Raises:
        ValueError: A word is not `key=value`, or there is no such key.
    """
    keys = list(known)
    result = copy.deepcopy(dict(document))
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r}: wanted key=value, got no '='")
        if key not in keys:
            raise ValueError(f"{word!r}: no such key{meant(key, keys)}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{word!r}: wanted a YAML value, got {text!r}") from error
        *sections, last = key.split(".")
        place = result
        for section in sections:
            if not isinstance(place.get(section), dict):
                place[section] = {}
            place = place[section]
        place[last] = "" if value is None else value
    return result


def flat(value: object, path: str = "") -> dict[str, Any]:
    """Every plain value of a dataclass by its key with dots."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if not isinstance(value, Mapping):
        return {path: list(value) if isinstance(value, tuple) else value}
    result: dict[str, Any] = {}
    for key, part in value.items():
        result |= flat(part, f"{path}.{key}" if path else key)
    return result


def meant(got: str, known: Sequence[str]) -> str:
    """Name what was probably meant, else all there is."""
    by_last = [key for key in known if key.split(".")[-1] == got.split(".")[-1]]
    near = by_last or difflib.get_close_matches(got, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; wanted one of {', '.join(sorted(known))}"


def _value(kind: Any, value: object, who: str, path: str) -> Any:
    """Check and convert one value."""
    if get_origin(kind) is Literal:
        value = str(value) if type(value) is int else value  # such as a precision of 32
        if value not in get_args(kind):
            raise ValueError(f"{who}: {path} wanted one of {', '.join(map(str, get_args(kind)))}, got {value!r}")
        return value
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if isinstance(value, (list, tuple)) and kinds[1:] == (...,):
            kinds = kinds[:1] * len(value)
        if not isinstance(value, (list, tuple)) or len(value) != len(kinds):
            raise ValueError(f"{who}: {path} wanted {len(kinds)} values, got {value!r}")
        return tuple(_value(k, v, who, f"{path}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if kind is float and not isinstance(value, bool):
        try:
            return float(value)  # type: ignore[arg-type]  # YAML reads 1e-4 as a text
        except (TypeError, ValueError):
            pass
    elif isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{who}: {path} wanted {_NAMES[kind]}, got {value!r}")


_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
