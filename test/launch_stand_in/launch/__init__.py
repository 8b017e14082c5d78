"""Stand-in for the part of `launch` that our launch files use, where ROS's own is not to be had (it is not on PyPI).

It runs the same launch files: arguments, substitutions, conditions, processes, respawn, shutdown. Signatures and what
is refused follow ros2/launch of Jazzy and Kilted: keyword-only where it is there, an error for what it does not know.
"""

from launch.core import Action, LaunchContext, LaunchDescription, LaunchService, Substitution

__all__ = ["Action", "LaunchContext", "LaunchDescription", "LaunchService", "Substitution"]
