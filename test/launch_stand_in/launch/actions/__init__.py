"""Actions."""

from launch.actions.arguments import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.actions.processes import ExecuteProcess

__all__ = ["DeclareLaunchArgument", "ExecuteProcess", "OpaqueFunction", "Shutdown"]
