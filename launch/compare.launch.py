"""Listen and compare, beside a graph that already predicts: microphone, sound_comparator and spectrogram_viewer.

ros2 launch hearing_hands_ros compare.launch.py params_file:=/path/to/file.yaml

The file is what `hearing-hands calibrate normal` writes: without a calibration every verdict is UNKNOWN.
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from hearing_hands_ros.graph import COMPARE_ARGUMENTS, compare_graph
from hearing_hands_ros.ros.launching import declare, start


def generate_launch_description():
    return LaunchDescription(
        [
            *declare(COMPARE_ARGUMENTS, microphone="device"),
            OpaqueFunction(function=start, args=[COMPARE_ARGUMENTS, compare_graph]),
        ]
    )
