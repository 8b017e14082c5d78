"""Record TF, sound, images and what the graph says, beside whatever runs; Ctrl-C ends the bag.

ros2 launch hearing_hands_ros record.launch.py out:=/path/to/bag scene:=/path/to/scene params_file:=/path/to/file.yaml
ros2 launch hearing_hands_ros record.launch.py out:=/path/to/bag images:=required topics:="/joint_states"

Scene and parameters only say what to look for: the log and /diagnostics tell what is missing while it runs.
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from hearing_hands_ros.record.graph import RECORD_ARGUMENTS, record_graph
from hearing_hands_ros.ros.launching import declare, start


def generate_launch_description():
    return LaunchDescription(
        [
            *declare(RECORD_ARGUMENTS),
            OpaqueFunction(function=start, args=[RECORD_ARGUMENTS, record_graph]),
        ]
    )
