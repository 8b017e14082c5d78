"""What the nodes of the graph would be told, for a replay without them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from hearing_hands_ros.compare.settings import ComparatorSettings
from hearing_hands_ros.graph import NodeSpec
from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.follower import FollowerSettings
from hearing_hands_ros.motion.tracker import TrackerSettings
from hearing_hands_ros.replay.sound import SoundSettings
from hearing_hands_ros.sound.capture.monitor import Limits

if TYPE_CHECKING:
    from hearing_hands_ros.vision.view_features import Mode

T = TypeVar("T")


@dataclass(frozen=True)
class ReplaySettings:
    """Everything that a replay must know, as the nodes of the graph have it.

    Attributes:
        scene: Folder of the scene bundle.
        hands: Of `hand_tracker`.
        sound: Of `microphone`.
        model: Folder of the predictor, where it computes and how it sees; with the next four of `sound_generator`.
        device: See `load_predictor`.
        views: Likewise.
        lead_s: Predicted before a touch begins.
        tail_s: Predicted after it has ended.
        calibration: File with the scores of normal touches, or empty; with the next six of `sound_comparator`.
        listener: See `load_scorer`.
        anomalies: Likewise.
        ego_noise: File with the noise of the robot itself, or empty.
        alpha: Rate of false alarms.
        run_length: Touches between false change alarms.
        comparator: Its times.
    """

    scene: str
    hands: FollowerSettings
    sound: SoundSettings
    model: str
    device: str
    views: Mode
    lead_s: float
    tail_s: float
    calibration: str
    listener: str
    anomalies: str
    ego_noise: str
    alpha: float
    run_length: float
    comparator: ComparatorSettings


def settings_of(specs: Sequence[NodeSpec]) -> ReplaySettings:
    """Settings with which a replay does what the nodes of `predict_graph` with a microphone would do.

    Raises:
        ValueError: A parameter file is broken, or a parameter of another type than it should be.
    """
    of = {spec.executable: parameters_of(spec) for spec in specs}
    tracker, microphone = of["hand_tracker"], of["microphone"]
    generator, comparator = of["sound_generator"], of["sound_comparator"]
    tracking, contact = _fill(TrackerSettings, tracker), _fill(ContactSettings, tracker, longest_s="longest_touch_s")
    return ReplaySettings(
        scene=tracker["scene"],
        hands=_fill(FollowerSettings, {**tracker, "tracker": tracking, "contact": contact}),
        sound=_fill(SoundSettings, {**microphone, "limits": _fill(Limits, microphone)}),
        comparator=_fill(ComparatorSettings, comparator),
        **{name: generator[name] for name in ("model", "device", "views", "lead_s", "tail_s")},
        **{
            name: comparator[name]
            for name in ("calibration", "listener", "anomalies", "ego_noise", "alpha", "run_length")
        },
    )


def parameters_of(spec: NodeSpec) -> dict[str, Any]:
    """All parameters of a node, a later layer over an earlier one. The first layer is its file in config/.

    Raises:
        ValueError: A file is no parameter file, or a value has another type than in config/.
    """
    name = "/" + "/".join(filter(None, (spec.namespace, spec.executable)))
    values: dict[str, Any] = {}
    for number, layer in enumerate(spec.layers):
        for key, value in (_read(layer, name) if isinstance(layer, Path) else layer).items():
            given: Any = value
            known = values.get(key)
            if number and isinstance(known, float) and isinstance(given, int) and not isinstance(given, bool):
                given = float(given)  # as a person writes it
            if number and known is not None and type(known) is not type(given):
                wanted, got = type(known).__name__, type(given).__name__
                where = f"'{layer}': " if isinstance(layer, Path) else ""
                raise ValueError(f"{where}{name}.{key} wants {wanted}, got {got} {given!r}")
            values[key] = given
    return values


def _read(path: Path, name: str) -> dict[str, Any]:
    """Parameters that a file has for a node of a full name."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}': wanted a parameter file, got: {error}") from error
    found: dict[str, Any] = {}
    for pattern, parameters in _sections(document, ""):
        if not isinstance(parameters, Mapping):
            raise ValueError(f"'{path}': ros__parameters of '{pattern}' wanted a mapping, got {parameters!r}")  # noqa: TRY004
        if _matches(pattern, name):
            found.update({str(key): value for key, value in parameters.items()})
    return found


def _sections(document: Any, above: str) -> Iterator[tuple[str, Any]]:
    """Node names or patterns, and their parameters; names may be nested as namespaces."""
    if not isinstance(document, Mapping):
        return
    for key, value in document.items():
        if key == "ros__parameters":
            yield above or "/", value
        else:
            yield from _sections(value, f"{above}/{str(key).strip('/')}")


def _matches(pattern: str, name: str) -> bool:
    """Whether a pattern with `*` for one part of a name and `**` for any number of them is of this name."""
    parts = [
        "(/[^/]+)*" if part == "**" else "/[^/]+" if part == "*" else f"/{re.escape(part)}"
        for part in pattern.strip("/").split("/")
    ]
    return re.fullmatch("".join(parts), name) is not None


def _fill(kind: type[T], values: Mapping[str, Any], **named: str) -> T:
    """An object of a dataclass whose fields are parameters; `named` maps fields whose parameter has another name."""
    names = {item.name: named.get(item.name, item.name) for item in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: values[source] for name, source in names.items() if source in values})
