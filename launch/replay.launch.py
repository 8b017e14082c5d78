"""Play a recording with its time on /clock, through the nodes of predict.launch.py; all ends with the recording.

ros2 launch hearing_hands_ros replay.launch.py bag:=/path/to/bag microphone:=topic:/microphone/audio
ros2 launch hearing_hands_ros replay.launch.py bag:=/path/to/bag graph:=false
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from hearing_hands_ros.graph import REPLAY_ARGUMENTS, replay_graph
from hearing_hands_ros.ros.launching import declare, start


def generate_launch_description():
    return LaunchDescription(
        [
            *declare(REPLAY_ARGUMENTS),
            OpaqueFunction(function=start, args=[REPLAY_ARGUMENTS, replay_graph]),
        ]
    )
