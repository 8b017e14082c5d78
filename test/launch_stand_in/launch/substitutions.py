"""Substitutions."""

import os

from launch.core import Substitution, normalize, perform


class TextSubstitution(Substitution):
    """A constant."""

    def __init__(self, *, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"TextSubstitution expected Text object got '{type(text)}' instead.")
        self.text = text

    def perform(self, context) -> str:
        return self.text


class LaunchConfiguration(Substitution):
    """The value of a launch argument."""

    def __init__(self, variable_name, *, default=None) -> None:
        self._name = normalize(variable_name)
        self._default = None if default is None else normalize(default)

    def perform(self, context) -> str:
        name = perform(context, self._name)
        if name not in context.launch_configurations:
            if self._default is None:
                raise RuntimeError(f"launch configuration '{name}' does not exist")
            return perform(context, self._default)
        return context.launch_configurations[name]


class PathJoinSubstitution(Substitution):
    """Parts of a path, joined."""

    def __init__(self, substitutions) -> None:
        self._parts = [normalize(part) for part in substitutions]

    def perform(self, context) -> str:
        return os.path.join(*(perform(context, part) for part in self._parts))  # noqa: PTH118
