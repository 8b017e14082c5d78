"""What a recording is said to lack, and which topics go into it."""

import array
from pathlib import Path

import pytest
from geometry_msgs.msg import TransformStamped
from hearing_hands_ros.msg import Audio
from rclpy.serialization import serialize_message
from tf2_msgs.msg import TFMessage

from hearing_hands_ros.record.choice import TopicChoice
from hearing_hands_ros.record.definitions import definition_of
from hearing_hands_ros.record.robot import Robot
from hearing_hands_ros.record.seen_frames import SeenFrames
from hearing_hands_ros.record.silence import Silence
from hearing_hands_ros.ros.bag_playback import installed_hash

AUDIO, IMAGE, JPEG = "hearing_hands_ros/msg/Audio", "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
ROOT = Path(__file__).parents[2]
FINGERS = ("thumb", "index")


def edges(*pairs):
    message = TFMessage()
    for parent, child in pairs:
        transform = TransformStamped(child_frame_id=child)
        transform.header.frame_id = parent
        message.transforms.append(transform)
    return serialize_message(message)


def told(*pairs, static=(), now_s=0.0):
    frames = SeenFrames()
    frames.take(edges(*pairs), False, now_s)
    frames.take(edges(*static), True, now_s)
    return frames


@pytest.mark.parametrize(
    "name",
    ["sensor_msgs/msg/Image", "tf2_msgs/msg/TFMessage", "hearing_hands_ros/msg/SoundComparison",
     "sensor_msgs/msg/CameraInfo", "diagnostic_msgs/msg/DiagnosticArray", "hearing_hands_ros/msg/HandTrajectory"],
)  # fmt: skip
def test_a_definition_is_the_installed_type(name):
    text, type_hash = definition_of(name)
    assert type_hash == installed_hash(name)
    assert text


def test_a_type_that_is_not_installed_is_named():
    with pytest.raises(ValueError, match="message type 'no_msgs/msg/Such': wanted its definition"):
        definition_of("no_msgs/msg/Such")


def test_a_hand_in_tf_below_the_scenes_frame_lacks_nothing():
    frames = told(("wrist", "thumb"), ("wrist", "index"), ("/base", "wrist"), static=[("world", "base")])
    assert frames.trouble(FINGERS, "world", 1.0) == ""
    assert frames.trouble(FINGERS, "base", 1.0) == ""
    assert frames.trouble(FINGERS, "", 1.0) == ""
    assert frames.trouble(("world",), "world", 1.0) == ""


def test_what_is_wrong_with_tf_is_said_with_the_frames():
    frames = told(("wrist", "thumb"), static=[("base", "wrist")])
    assert frames.trouble(FINGERS, "base", 0.5) == "no TF for 1 of 2 frames of the hand (index)"
    frames.take(edges(("wrist", "index")), False, 5.0)
    assert frames.trouble(FINGERS, "base", 5.5) == "no TF for 2 s and more for 1 of 2 frames of the hand (thumb)"
    frames.take(edges(("wrist", "thumb")), False, 5.5)
    assert frames.trouble(FINGERS, "world", 6.0) == (
        "TF does not connect 2 of 2 frames of the hand (thumb, index) with 'world', only with 'base'"
    )


def test_a_ring_in_tf_and_bytes_that_are_none_do_no_harm():
    frames = told(("a", "b"), ("b", "a"))
    frames.take(b"\x00\x01\x00\x00\xff\xff\xff\xff", False, 0.0)
    assert "does not connect" in frames.trouble(("a",), "world", 0.0)


def test_silence_is_a_signal_that_does_not_change_and_a_quiet_room_is_none():
    def sound(*samples):
        return Audio(sample_rate_hz=16000, channels=2, data=array.array("f", samples))

    silence = Silence(AUDIO)
    silence.take(sound(0.0, 0.0, 0.0, 0.0), 0.0)
    assert silence.trouble(1.0) == ""  # not yet
    silence.take(sound(0.1, -0.2, 0.1, -0.2), 3.0)  # a constant in each channel
    assert "is silent: no change of the signal for 4 s" in silence.trouble(4.0)
    silence.take(sound(0.0, 0.0, 1e-6, 0.0), 5.0)
    assert silence.trouble(9.0) == ""
    silence.take(Audio(sample_rate_hz=0, channels=1, data=array.array("f", [0.0])), 10.0)
    assert "is no sound: wanted a sample rate above 0" in silence.trouble(10.0)


def test_one_microphone_is_recorded_and_nothing_that_can_be_made_again():
    topics = {
        "/tf": "tf2_msgs/msg/TFMessage", "/left/heard/audio": AUDIO, "/usb/audio": "foxglove_msgs/msg/RawAudio",
        "/left/predicted/audio": AUDIO, "/left/predicted/stream": AUDIO, "/left/comparison/picture": IMAGE,
        "/left/spectrogram/image": IMAGE, "/left/hands": "x", "/hands": "x", "/left/contacts": "x",
        "/left/predicted": "x", "/left/comparison": "x", "/diagnostics": "x", "/joint_states": "x",
    }  # fmt: skip
    own = ["/left/comparison", "/left/contacts", "/left/hands", "/left/predicted", "/tf"]
    choice = TopicChoice(namespace="/left/", named=("/joint_states", "/absent"))
    assert choice.chosen(topics) == sorted(["/diagnostics", "/joint_states", "/left/heard/audio", *own])
    assert "/usb/audio" in choice.chosen(topics, kept=["/usb/audio"])
    assert "/left/heard/audio" in choice.chosen(topics, kept=["/usb/audio"]), "it was only found later"
    asked = TopicChoice(namespace="/left/", named=("/usb/audio",))
    assert {"/usb/audio", "/left/heard/audio"} <= set(asked.chosen(topics, kept=["/usb/audio"]))
    del topics["/left/heard/audio"]
    assert "/usb/audio" in choice.chosen(topics)
    topics["/desk/audio"] = AUDIO
    assert "/desk/audio" not in choice.chosen(topics, kept=["/usb/audio"]), "one microphone is enough"
    assert "/desk/audio" in asked.chosen(topics, kept=["/usb/audio"]), "the one asked for may be no microphone"
    named = TopicChoice(namespace="/left/", audio="/left/predicted/audio")
    assert [name for name in named.chosen(topics) if "audio" in name] == ["/left/predicted/audio"]


def test_each_image_is_recorded_once_colours_compressed_and_depth_as_it_is():
    topics = {
        "/cam/color": IMAGE, "/cam/color/compressed": JPEG, "/cam/color/theora": JPEG, "/cam/depth": IMAGE,
        "/cam/depth/compressed": JPEG, "/cam/depth/compressedDepth": JPEG, "/web/compressed": JPEG, "/raw": IMAGE,
        "/cam/camera_info": "sensor_msgs/msg/CameraInfo",
    }  # fmt: skip
    expected = ["/cam/camera_info", "/cam/color/compressed", "/cam/depth", "/raw", "/web/compressed"]
    assert TopicChoice().chosen(topics) == expected
    assert TopicChoice(images=False, named=("/raw",)).chosen(topics) == ["/raw"]


def test_the_parameters_say_frames_root_and_what_is_not_calibrated(tmp_path):
    parameters = tmp_path / "robot.yaml"
    parameters.write_text(
        "/**/hand_tracker:\n  ros__parameters: {right_end_effector_frame: tool0, right_keypoint_frames: ['']}\n"
        "/**/sound_comparator:\n  ros__parameters: {microphone_lag_s: 0.02}\n"
    )
    robot = Robot.load("", "", str(parameters))
    assert (robot.frames, robot.root, robot.notes) == (("tool0",), "", ())
    robot = Robot.load("", str(ROOT / "demo" / "scene"), "")
    assert robot.root == "world"
    assert len(robot.frames) == 21
    assert "lag is not calibrated" in robot.notes[0]
