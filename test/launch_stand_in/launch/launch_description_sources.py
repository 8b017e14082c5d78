"""Loads launch files."""

import importlib.util
from pathlib import Path

from launch.core import LaunchDescription


def get_launch_description_from_python_launch_file(python_launch_file_path: str) -> LaunchDescription:
    """Return what the file's `generate_launch_description` makes."""
    path = Path(python_launch_file_path)
    spec = importlib.util.spec_from_file_location(path.name.replace(".", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()
