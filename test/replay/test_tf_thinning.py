"""Messages of TF that are left out change no look-up at the frames of the grid."""

from heapq import merge

import numpy as np
import pytest
from made_tf import NS, START_NS, message, publisher

from hearing_hands_ros.motion.window import frame_stamp_ns
from hearing_hands_ros.replay.tf_thinning import TfThinning
from hearing_hands_ros.ros.tf2_bytes import edges_in_bytes
from hearing_hands_ros.ros.tf2_core import TransformTree
from hearing_hands_ros.ros.tf2_exceptions import TransformException

RATE = 30


def looked_up(tree, name, stamp_ns):
    try:
        return tree.lookup("world", name, stamp_ns)
    except TransformException:
        return None


def answers(messages, thinned, frames, wait_s=0.1):
    """What is looked up at the frames of the grid, each when its transforms are there or do not come any more."""
    tree, thinning, found, asked, given = TransformTree(), TfThinning(RATE), [], 0, 0
    frame = START_NS * RATE // NS + 1
    for arrival_ns, raw in messages:
        for kept in thinning.kept(raw) if thinned else [raw]:
            given += 1
            for parent, child, stamp_ns, values in edges_in_bytes(kept):
                tree.insert(parent, child, stamp_ns, values, "test", False)
        while asked < 45:
            stamp_ns = frame_stamp_ns(frame + asked, RATE)
            if stamp_ns > arrival_ns:
                break
            row = [looked_up(tree, name, stamp_ns) for name in frames]
            if None in row and arrival_ns < stamp_ns + wait_s * NS:
                break
            found.append(row)
            asked += 1
    return found, given


@pytest.mark.parametrize(("rate_hz", "jitter_s"), [(1000, 0.0), (1000, 0.01), (60, 0.0), (13, 0.0)])
@pytest.mark.parametrize("seed", range(3))
def test_look_ups_are_the_same_to_the_last_bit(rate_hz, jitter_s, seed):
    rng = np.random.default_rng(seed)
    hand = publisher([("camera", f"finger_{n}") for n in range(4)], rate_hz, rng, jitter_s=jitter_s)
    arm = publisher([("world", "camera")], 250, rng)
    other = publisher([("camera", "finger_3")], 77, rng)  # two that publish the same frame
    messages = list(merge(hand, arm, other))
    frames = ["finger_0", "finger_1", "finger_3"]
    whole, _ = answers(messages, False, frames)
    thinned, given = answers(messages, True, frames)
    assert len(whole) > 40
    assert thinned == whole
    assert sum(None not in row for row in whole) > 35
    if (rate_hz, jitter_s) == (1000, 0.0):
        assert given < 0.2 * len(messages)


def test_a_publisher_that_is_replaced_by_another_midway_is_followed():
    rng = np.random.default_rng(0)
    first = publisher([("world", "hand")], 1000, rng, seconds=0.987)
    second = [(at + 987_000_000, raw) for at, raw in publisher([("base", "hand"), ("world", "base")], 1000, rng)]
    messages = list(merge(first, second))
    assert answers(messages, True, ["hand"])[0] == answers(messages, False, ["hand"])[0]


def test_what_is_no_message_or_has_several_stamps_is_passed_on():
    rng = np.random.default_rng(0)
    thinning = TfThinning(RATE)
    edges = [("world", "a"), ("world", "b")]
    mixed = [message([START_NS + n, START_NS + 2 * n + 1], edges, rng) for n in range(5)]
    assert [kept for raw in mixed for kept in thinning.kept(raw)] == mixed
    for raw in (b"", b"\x00\x01\x00\x00\xff\xff\xff\xff", message([], [], rng)):
        assert thinning.kept(raw) == [raw]
        assert thinning.kept(raw) == [raw]
