"""Message types by name."""

import pytest
from std_msgs.msg import String

from hearing_hands_ros.ros.message_class import message_class


def test_an_installed_type_is_found():
    assert message_class("std_msgs/msg/String") is String


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_msgs/msg/Thing", "sudo apt install ros-.ROS_DISTRO-no-such-msgs"),
        ("std_msgs/msg/NoSuch", "'std_msgs' without it"),
        ("nonsense", "wanted 'package/msg/Name'"),
    ],
)
def test_what_is_missing_is_named_with_its_cure(name, said):
    with pytest.raises(ValueError, match=f"'{name}'.*{said}"):
        message_class(name)
