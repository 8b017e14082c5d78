"""Message types by name."""

from __future__ import annotations

import importlib
from typing import Any


def message_class(type_name: str) -> Any:
    """Return the Python class of a message type such as 'foxglove_msgs/msg/RawAudio'.

    Raises:
        ValueError: It is no name of a message type, it is not installed here, or another package of that name is.
    """
    who = f"message type '{type_name}'"
    try:
        package, kind, name = type_name.split("/")
    except ValueError:
        raise ValueError(f"{who}: wanted 'package/msg/Name'") from None
    try:
        module = importlib.import_module(f"{package}.{kind}")
    except ImportError as error:
        apt = f"sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}, or source its workspace"
        raise ValueError(f"{who}: wanted package '{package}', found none here: {apt}") from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise ValueError(
            f"{who}: found a package '{package}' without it: is another version installed here, or another package of "
            "that name?"
        ) from error
