"""Where frames are in a recording is what a buffer of all its TF would say, however it is kept."""

from heapq import merge

import numpy as np
import pytest
from made_tf import NS, START_NS, message, publisher

from hearing_hands_ros.motion.follower import PoseMissingError
from hearing_hands_ros.motion.window import frame_stamp_ns
from hearing_hands_ros.replay.recorded_poses import RecordedPoses
from hearing_hands_ros.ros.tf2_bytes import edges_in_bytes
from hearing_hands_ros.ros.tf2_core import TransformTree
from hearing_hands_ros.ros.tf2_exceptions import ExtrapolationException, TransformException

KEYPOINTS = [f"kp_{number}" for number in range(21)]
HAND = [("camera", name) for name in KEYPOINTS]
FIRST = START_NS * 30 // NS
PLACE = (0.3, -0.2, 0.1, 0.5, 0.5, -0.5, 0.5)


def place(poses, name, stamp_ns):
    """Where a keypoint is, or whether that may still come."""
    try:
        return poses(name, stamp_ns)[:3]
    except PoseMissingError as missing:
        return missing.may_come


def compared(messages, extra=()):
    """Ask at the frames of a grid while TF comes in; return what was kept out of the tree, and how many were found."""
    poses, tree = RecordedPoses("scene", KEYPOINTS), TransformTree()
    for each in (poses.tree, tree):
        each.insert("world", "scene", 0, PLACE, "test", True)

    def whole(name, stamp_ns):
        try:
            return tree.lookup("scene", name, stamp_ns)[1:]
        except TransformException as error:
            raise PoseMissingError(str(error), may_come=isinstance(error, ExtrapolationException)) from error

    frame, known = FIRST - 2, 0
    for arrival_ns, raw in merge(messages, extra):
        while (stamp_ns := frame_stamp_ns(frame, 30)) <= arrival_ns - NS // 20:
            for back in (-2, 0, 0, 7):  # what is to come, the same again, and what was a while ago
                at_ns = stamp_ns - back * NS // 30
                answers = [place(poses.look_up, name, at_ns) for name in KEYPOINTS]
                assert answers == [place(whole, name, at_ns) for name in KEYPOINTS]
                known += sum(isinstance(answer, tuple) for answer in answers)
            frame += 1
        poses.take(raw, "/tf", False)
        for parent, child, at_ns, values in edges_in_bytes(raw):
            if child != "scene":
                tree.insert(parent, child, at_ns, values, "/tf", False)
    return set(KEYPOINTS) - set(poses.tree.frame_names()), known


def nan(values):
    values[4, 1] = np.nan


def no_rotation(values):
    values[20, 3:] = 0.0


def long_rotation(values):
    values[:, 3:] *= 3.0


def arm(rng):
    return publisher([("world", "camera")], 250, rng, seconds=2.3)


@pytest.mark.parametrize("rate_hz", [30, 60, 97, 400])
def test_places_are_the_same_to_the_last_bit_without_a_tree(rate_hz):
    rng = np.random.default_rng(rate_hz)
    # The first look, before the hand is known, would fill the tree: the hand comes first.
    hand = [(START_NS - NS, message([START_NS - NS] * 21, HAND, rng)), *publisher(HAND, rate_hz, rng)]
    kept, known = compared(
        hand, [(START_NS - 2 * NS, message([START_NS - 2 * NS], [("world", "camera")], rng)), *arm(rng)]
    )
    assert kept == set(KEYPOINTS)
    assert known > 50 * 3 * 21


def test_a_camera_whose_place_comes_late_is_waited_for():
    rng = np.random.default_rng(5)
    hand = [(START_NS - NS, message([START_NS - NS] * 21, HAND, rng)), *publisher(HAND, 60, rng)]
    camera = [(START_NS - 2 * NS, message([START_NS - 2 * NS], [("world", "camera")], rng))]
    late = [(arrival_ns + NS // 12, raw) for arrival_ns, raw in arm(rng)]
    kept, known = compared(hand, camera + late)
    assert kept == set(KEYPOINTS)
    assert known > 45 * 21


@pytest.mark.parametrize("spoil", [nan, no_rotation, long_rotation])
def test_numbers_that_are_no_transform_are_left_to_the_tree(spoil):
    rng = np.random.default_rng(1)
    hand = publisher(HAND, 60, rng)
    for number in (40, 41, 80):
        stamp_ns = START_NS + number * NS // 60
        hand[number] = (hand[number][0], message([stamp_ns] * 21, HAND, rng, spoil))
    kept, known = compared(hand, arm(rng))
    assert not kept
    assert known > 50 * 3 * 19


def another_publisher(rng):
    return publisher([("camera", "kp_5")], 77, rng)


def another_parent(rng):
    return [(at + NS // 2, raw) for at, raw in publisher([("arm", name) for name in KEYPOINTS], 60, rng, seconds=0.3)]


def a_parent_below(rng):
    return publisher([("kp_0", "ring"), ("world", "arm")], 60, rng)


def stamps_that_go_back(rng):
    return [(at + NS, raw) for at, raw in publisher(HAND, 60, rng, seconds=0.5)]


def several_stamps(rng):
    return [(START_NS + NS, message([START_NS + NS // 2 + n for n in range(21)], HAND, rng))]


@pytest.mark.parametrize(
    "trouble", [another_publisher, another_parent, a_parent_below, stamps_that_go_back, several_stamps]
)
def test_whatever_else_is_said_of_the_same_frames_counts(trouble):
    rng = np.random.default_rng(2)
    _, known = compared(list(merge(publisher(HAND, 60, rng), trouble(rng))), arm(rng))
    assert known > 40 * 2 * 20


def test_a_hand_that_hangs_on_another_keypoint_is_followed():
    rng = np.random.default_rng(3)
    wrist = [("camera", "kp_0")]
    fingers = [("kp_0", name) for name in KEYPOINTS[1:]]
    kept, known = compared(list(merge(publisher(wrist, 60, rng), publisher(fingers, 60, rng))), arm(rng))
    assert not kept
    assert known > 50 * 3 * 20


def test_memory_holds_ten_seconds():
    rng = np.random.default_rng(4)
    poses = RecordedPoses("scene", KEYPOINTS)
    raws = [message([START_NS + n * NS // 4] * 21, HAND, rng) for n in range(100)]
    for raw in raws:
        poses.take(raw, "/tf", False)
    poses.settle()
    assert poses.tree.as_yaml().count("buffer_length: 10.") == 21
