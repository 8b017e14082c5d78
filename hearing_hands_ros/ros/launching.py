"""From the plain description of the graph to `launch` actions; only launch files import this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from launch import LaunchContext  # type: ignore[import-not-found]
from launch.actions import DeclareLaunchArgument, Shutdown  # type: ignore[import-not-found]
from launch.substitutions import LaunchConfiguration  # type: ignore[import-not-found]
from launch_ros.actions import Node  # type: ignore[import-not-found]
from launch_ros.parameter_descriptions import ParameterValue  # type: ignore[import-not-found]
from launch_ros.substitutions import FindPackageShare  # type: ignore[import-not-found]

from hearing_hands_ros.graph import (
    PACKAGE,
    RESPAWN_DELAY_S,
    NodeSpec,
    Options,
    Value,
    argument_field,
    choices_of,
    text_of,
)


def declare(names: Iterable[str], **defaults: str) -> list[Any]:
    """Return one `DeclareLaunchArgument` a name, with the graph's description, choices and default.

    Args:
        names: Arguments of the launch file, in the order in which they are shown.
        **defaults: Defaults of this launch file that differ from the graph's.
    """
    actions = []
    for name in names:
        item = argument_field(name)
        actions.append(
            DeclareLaunchArgument(
                name,
                default_value=defaults.get(name, text_of(item.default)),
                description=item.metadata["description"],
                # An empty list is an error there; None means anything.
                choices=list(choices_of(item)) or None,
            )
        )
    return actions


def start(context: LaunchContext, names: Iterable[str], build: Callable[[Options, Path], list[NodeSpec]]) -> list[Any]:
    """Body of an `OpaqueFunction`: read the arguments, build the graph, return its nodes as actions."""
    options = Options.from_text({name: LaunchConfiguration(name).perform(context) for name in names})
    share = Path(FindPackageShare(PACKAGE).perform(context))
    return [node_action(spec) for spec in build(options, share)]


def node_action(spec: NodeSpec) -> Any:
    """Return the `launch_ros` node of one spec."""
    return Node(
        package=PACKAGE,
        executable=spec.executable,
        name=spec.executable,
        namespace=spec.namespace,
        parameters=[str(layer) if isinstance(layer, Path) else _typed(layer) for layer in spec.layers],
        arguments=["--ros-args", "--log-level", spec.log_level, "--enclave", spec.enclave],
        respawn=spec.respawn,
        respawn_delay=RESPAWN_DELAY_S,
        output="screen",
        emulate_tty=True,
        on_exit=[Shutdown(reason=f"{spec.executable} has ended")] if spec.ends_graph else None,
    )


def _typed(layer: Mapping[str, Value]) -> dict[str, Any]:
    """Without a type, launch_ros reads texts as YAML: a folder named 12 would become a number."""
    return {
        name: ParameterValue(value, value_type=str) if isinstance(value, str) else value
        for name, value in layer.items()
    }
