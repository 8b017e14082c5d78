"""Predict the sound of touch: scene_server, hand_tracker and sound_generator, and what `microphone` and `demo` ask for.

ros2 launch hearing_hands_ros predict.launch.py scene:=/path/to/scene microphone:=device params_file:=/path/to/file.yaml
ros2 launch hearing_hands_ros predict.launch.py demo:=true
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from hearing_hands_ros.graph import PREDICT_ARGUMENTS, predict_graph
from hearing_hands_ros.ros.launching import declare, start


def generate_launch_description():
    return LaunchDescription(
        [
            *declare(PREDICT_ARGUMENTS),
            OpaqueFunction(function=start, args=[PREDICT_ARGUMENTS, predict_graph]),
        ]
    )
