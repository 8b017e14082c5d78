"""ROS parameters from one frozen dataclass a node: name, default, range and description stand in one place."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

if TYPE_CHECKING:
    from rclpy.node import Node

P = TypeVar("P")


def parameter(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Return a dataclass field that is a ROS parameter.

    Args:
        default: Its default; its type is the parameter's type. Lists become array parameters.
        description: What it does, with the unit.
        low: Smallest allowed value, for numbers.
        high: Largest allowed value, for numbers.
        choices: Allowed values, for strings.
    """
    metadata = {"description": description, "low": low, "high": high, "choices": choices}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class CommonParameters:
    """What every node of the package has."""

    autostart: bool = parameter(True, "Configure and activate by itself, and try again while that fails.")
    retry_s: float = parameter(3.0, "Time between two tries of autostart, s.", low=0.1, high=3600.0)


def default_of(item: Field[Any]) -> Any:
    """Return the default of a dataclass field made by `parameter`."""
    if item.default_factory is not MISSING:
        return item.default_factory()
    return item.default


def descriptor_of(item: Field[Any]) -> ParameterDescriptor:
    """Return description and range of a field as ROS shows them."""
    descriptor = ParameterDescriptor(description=item.metadata["description"])
    low, high, choices = item.metadata["low"], item.metadata["high"], item.metadata["choices"]
    if choices:
        descriptor.additional_constraints = "one of: " + ", ".join(repr(choice) for choice in choices)
    if low is not None and high is not None:
        if isinstance(default_of(item), float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def declare_parameters(node: Node, parameters: type[P]) -> None:
    """Declare every field of a parameter dataclass on a node.

    Raises:
        ValueError: A value given at start-up has the wrong type or is out of range; names node, parameter, wanted, got.
    """
    for item in fields(parameters):  # type: ignore[arg-type]
        if node.has_parameter(item.name):
            continue
        try:
            node.declare_parameter(item.name, default_of(item), descriptor_of(item))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            wanted = descriptor_of(item)
            span = [f"{r.from_value} to {r.to_value}" for r in (*wanted.floating_point_range, *wanted.integer_range)]
            raise ValueError(
                f"{node.get_name()}: parameter '{item.name}' wants "
                f"{type(default_of(item)).__name__}{' ' + span[0] if span else ''}, got: {error}"
            ) from error


def read_parameters(node: Node, parameters: type[P]) -> P:
    """Return the node's current parameters as one checked, frozen object.

    Raises:
        ValueError: A string is not one of its choices; names node, parameter, wanted, got.
    """
    values: dict[str, Any] = {}
    for item in fields(parameters):  # type: ignore[arg-type]
        value = node.get_parameter(item.name).value
        if isinstance(default_of(item), list):
            value = list(value or [])
        choices = item.metadata["choices"]
        if choices and value not in choices:
            raise ValueError(f"{node.get_name()}: parameter '{item.name}' wants one of {choices}, got {value!r}")
        values[item.name] = value
    return parameters(**values)
