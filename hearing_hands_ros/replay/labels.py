"""What is known of a recording's touches: which are normal, and which anomaly was put into the others."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.result import NORMAL, UNLABELLED, MissedLabel

NEAR_S: Final = 0.15
"""A verdict this far from an event is on it."""

TRUTH_NONE: Final = "none"
"""What the demo's truth calls normal."""


@dataclass(frozen=True)
class Event:
    """A touch, or a sound without one, of which is known what it was.

    Attributes:
        stamp_ns: When it began.
        label: 'normal', or the name of the anomaly.
    """

    stamp_ns: int
    label: str


class Labels:
    """Gives each verdict the label of the event that it is on; an event is given away once.

    Args:
        events: In any order.
        rest: Label of verdicts on no event; empty if nothing is known of them.
    """

    def __init__(self, events: Sequence[Event] = (), rest: str = UNLABELLED) -> None:
        self._events = sorted(events, key=lambda event: event.stamp_ns)
        self._stamps = [event.stamp_ns for event in self._events]
        self._taken: set[int] = set()
        self._rest = rest

    def take(self, stamp_ns: int) -> str:
        """Label of a verdict on what began at a time: that of the nearest event that nobody took."""
        near_ns = round(NEAR_S * NANOSECONDS)
        index = bisect_left(self._stamps, stamp_ns - near_ns)
        free = []
        while index < len(self._stamps) and self._stamps[index] <= stamp_ns + near_ns:
            if index not in self._taken:
                free.append(index)
            index += 1
        if not free:
            return self._rest
        found = min(free, key=lambda i: abs(self._stamps[i] - stamp_ns))
        self._taken.add(found)
        return self._events[found].label

    def missed(self, begin_ns: int, end_ns: int) -> tuple[MissedLabel, ...]:
        """Events of a span that no verdict has taken."""
        return tuple(
            MissedLabel(event.stamp_ns, event.label)
            for index, event in enumerate(self._events)
            if index not in self._taken and begin_ns <= event.stamp_ns < end_ns
        )


def read_labels(path: Path, begin_ns: int) -> Labels:
    """Read a file of labels: our own form, or that of the demo's truth.yaml.

    Ours is `touches`, a list of mappings with `label` and `stamp_ns` or `at_s`, and `rest`, the label of what is not
    listed. In the demo's all that there is is listed, so a verdict on nothing is one on what was normal.

    Args:
        path: The YAML file.
        begin_ns: First stamp of the recording, from which `at_s` counts.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not of one of these forms.
    """
    if not path.is_file():
        raise FileNotFoundError(f"labels: wanted a file, found nothing at '{path}'")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"labels '{path}': wanted YAML, got: {error}") from error
    if not isinstance(document, Mapping) or not isinstance(document.get("touches"), list):
        raise ValueError(f"labels '{path}': wanted a mapping with a list 'touches', got {_short(document)}")  # noqa: TRY004
    if "extra_sounds" in document:
        items, read, rest = [*document["touches"], *document["extra_sounds"]], _event_of_truth, NORMAL
    else:
        items, read, rest = document["touches"], _event, document.get("rest", UNLABELLED)
    if not isinstance(rest, str):
        raise ValueError(f"labels '{path}': wanted 'rest' to be a text, got {rest!r}")  # noqa: TRY004  (a file's fault)
    return Labels([read(item, begin_ns, f"labels '{path}', number {n}") for n, item in enumerate(items, 1)], rest)


def _event(item: Any, begin_ns: int, who: str) -> Event:
    label = item.get("label") if isinstance(item, Mapping) else None
    if not isinstance(label, str) or not label or ("stamp_ns" in item) == ("at_s" in item):
        raise ValueError(f"{who}: wanted 'label' and one of 'stamp_ns' and 'at_s', got {_short(item)}")
    if "at_s" in item:
        return Event(begin_ns + round(_number(item["at_s"], who) * NANOSECONDS), label)
    return Event(round(_number(item["stamp_ns"], who)), label)


def _event_of_truth(item: Any, begin_ns: int, who: str) -> Event:
    del begin_ns
    anomaly = item.get("anomaly") if isinstance(item, Mapping) else None
    if not isinstance(anomaly, str) or "start_ns" not in item:
        raise ValueError(f"{who}: wanted 'start_ns' and 'anomaly', got {_short(item)}")
    return Event(round(_number(item["start_ns"], who)), NORMAL if anomaly == TRUTH_NONE else anomaly)


def _number(value: Any, who: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{who}: wanted a time as a number, got {value!r}")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 100 else f"{text[:97]}..."
