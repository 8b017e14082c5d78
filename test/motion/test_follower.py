"""Which frames are taken, and when."""

import numpy as np
import pytest

from hearing_hands_ros.motion.follower import FollowerSettings, HandFollower, PoseMissingError
from hearing_hands_ros.motion.window import NANOSECONDS

START_NS = 1000 * NANOSECONDS
FRAME_NS = NANOSECONDS // 30


class Far:
    """A surface out of reach."""

    def query(self, points_m):
        class Answer:
            distance_m = np.full(len(points_m), 10.0)

        return Answer()


class Poses:
    """A probe that stands still, as far as it is known."""

    known_until_ns = START_NS + 10 * NANOSECONDS

    def __call__(self, frame, stamp_ns):
        if frame != "tool0":
            raise PoseMissingError(f"no frame {frame}", may_come=False)
        if stamp_ns > self.known_until_ns:
            raise PoseMissingError("not yet", may_come=True)
        return 0.1, 0.2, 0.5, 0.0, 0.0, 0.0, 1.0


@pytest.fixture
def poses():
    return Poses()


def follower(poses, frame="tool0", **named):
    return HandFollower(Far(), FollowerSettings(right_end_effector_frame=frame), poses, **named)


def test_a_frame_waits_for_its_pose_and_is_taken_when_it_comes(poses):
    following = follower(poses)
    following.advance(START_NS)
    poses.known_until_ns = START_NS + FRAME_NS // 2
    assert following.advance(START_NS + 2 * FRAME_NS) == []
    poses.known_until_ns = START_NS + 10 * FRAME_NS
    assert len(following.advance(START_NS + 2 * FRAME_NS + 1)) == 2
    assert following.counts["invalid_frames"] == 0
    assert following.lost() == {}


def test_a_pose_that_does_not_come_makes_the_frame_invalid(poses):
    following = follower(poses)
    following.advance(START_NS)
    poses.known_until_ns = START_NS
    following.advance(START_NS + 2 * NANOSECONDS)
    assert following.counts["frames"] > 50
    assert following.counts["invalid_frames"] == following.counts["frames"] - 1
    assert following.lost() == {1: "not yet"}


def test_a_frame_that_is_not_there_waits_for_nothing(poses):
    following = follower(poses, "tool1")
    assert len(following.advance(START_NS)) == 1
    assert following.lost() == {1: "no frame tool1"}


@pytest.mark.parametrize("jump_s", [5.0, -5.0])
def test_a_clock_that_jumps_is_told_and_begins_afresh(poses, jump_s):
    told = []
    following = follower(poses, warn=told.append)
    poses.known_until_ns = START_NS + 100 * NANOSECONDS
    following.advance(START_NS)
    following.advance(START_NS + round(jump_s * NANOSECONDS))
    assert following.counts["clock_jumps"] == 1
    assert following.counts["frames"] == 2  # not all that lie between
    assert told == [f"the clock went from 1000.000 to {1000 + jump_s:.3f} s: starting afresh"]


def test_the_frames_of_a_hand_are_one_or_twenty_one():
    with pytest.raises(ValueError, match="wants the frames of at least one hand"):
        FollowerSettings(right_keypoint_frames=("",)).frames_of_hand()
    with pytest.raises(ValueError, match=r"'left_keypoint_frames' wants 21 names .* got 2: a, b"):
        FollowerSettings(left_keypoint_frames=("a", "b")).frames_of_hand()
    found = FollowerSettings(left_end_effector_frame="tool0").frames_of_hand()
    assert found[0] == ["tool0"]
    assert found[1][20] == "hand_right/kp_20"
