"""The hand tracker as a process, in simulated time that stands, jumps and goes back."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import ContactEvent, HandTrajectory
from rosgraph_msgs.msg import Clock
from worlds import NS, TfHand, ended_ones, save_table, tap_height

from hearing_hands_ros.ros.hand_messages import read_hand_trajectory, stamp_from_ns, stamp_to_ns

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
MODULE = "hearing_hands_ros.nodes.hand_tracker"
RIGHT = ContactEvent.RIGHT


class SimulatedTime:
    """Moves /clock on with each stamp that the hand asks for; `now_ns` may be set, `runs` cleared.

    Every 20th step, three a second, goes back by `back_ns`.
    """

    def __init__(self, ros, now_ns, step_ns=16_000_000):
        self.now_ns, self.step_ns, self.runs = now_ns, step_ns, True
        self.back_ns, self._steps = 0, 0
        self._clock = ros.talk(Clock, "/clock")
        ros.wait_for_listener(self._clock)

    def __call__(self):
        if self.runs:
            self._steps += 1
            self.now_ns += self.step_ns if self._steps % 20 else -self.back_ns
            self._clock.publish(Clock(clock=stamp_from_ns(self.now_ns)))
        return self.now_ns


@pytest.fixture
def simulated(ros_domain, tmp_path):
    """The domain, and a hand that taps in simulated time, which stands at 1000 s until it is told to run."""
    scene = save_table(tmp_path / "scene")
    ros_domain.start(MODULE, {"scene": str(scene), "use_sim_time": True, "retry_s": 0.3})
    clock = SimulatedTime(ros_domain, 1000 * NS)
    clock.runs = False
    hand = TfHand(ros_domain, stamp=clock)
    yield ros_domain, clock, hand
    hand.stop()


def test_simulated_time_may_stand_jump_and_go_back(simulated):
    ros, clock, _ = simulated
    diagnostics = ros.diagnostics("hand_tracker")
    diagnostics.wait(WARN, "the clock stands")
    contacts = ros.listen(ContactEvent, "contacts")
    for start_s in (1000, 5000, 200):
        clock.now_ns, clock.runs = start_s * NS, True
        contacts.clear()
        contacts.wait(lambda all_, s=start_s: [c for c in ended_ones(all_) if 0 <= c.end.sec - s < 9])
        diagnostics.wait(OK, since=len(diagnostics.statuses))
    assert float(diagnostics.values["clock_jumps"]) == 2


def test_a_clock_that_stands_while_it_works_is_never_well(simulated):
    ros, clock, _ = simulated
    diagnostics = ros.diagnostics("hand_tracker")
    clock.runs = True
    diagnostics.wait(OK)
    clock.runs = False
    stopped_at = len(diagnostics.statuses)
    diagnostics.wait(WARN, "the clock stands", since=stopped_at)
    stood_at = len(diagnostics.statuses)
    time.sleep(2.5)
    assert {status.level for status in diagnostics.statuses[stood_at:]} == {WARN}
    assert stood_at - stopped_at <= 3
    clock.runs = True
    diagnostics.wait(OK, since=len(diagnostics.statuses))
    assert float(diagnostics.values["clock_jumps"]) == 0


def test_small_steps_back_of_the_clock_change_nothing(simulated):
    ros, clock, _ = simulated
    contacts = ros.listen(ContactEvent, "contacts")
    diagnostics = ros.diagnostics("hand_tracker")
    clock.back_ns, clock.runs = 60_000_000, True
    ended = contacts.wait(lambda all_: ended_ones(all_)[:3] if len(ended_ones(all_)) >= 3 else None)
    assert [stamp_to_ns(event.header.stamp) / NS % 1.0 for event in ended] == pytest.approx([0.5] * 3, abs=0.015)
    assert np.diff([event.header.stamp.sec for event in ended]).tolist() == [1, 1]
    diagnostics.wait(OK, since=len(diagnostics.statuses))
    assert float(diagnostics.values["clock_jumps"]) == 0
    assert float(diagnostics.values["invalid_frames"]) < 10


def test_a_window_shows_a_touch_that_begins_and_one_that_a_jump_of_time_ends(simulated):
    ros, clock, hand = simulated
    contacts, hands = ros.listen(ContactEvent, "contacts"), ros.listen(HandTrajectory, "hands")
    hand.height = lambda t: tap_height(t + 0.2, dwell_s=0.4)  # begins between two windows, which come at 0 and 0.5 s
    clock.runs = True
    begun = contacts.wait(lambda all_: [c for c in all_ if c.phase == ContactEvent.STARTED])[-1]
    early = hands.wait(lambda all_: [m for m in all_ if begun.id in [c.id for c in m.contacts]])[0]
    last_frame_ns = stamp_to_ns(early.header.stamp) + (early.frames - 1) * NS // 30
    assert abs(last_frame_ns - stamp_to_ns(begun.header.stamp)) < NS // 15
    clock.now_ns = 500 * NS
    ended = contacts.wait(lambda all_: [c for c in ended_ones(all_) if c.id == begun.id])
    assert len(ended) == 1
    assert 0 <= stamp_to_ns(ended[0].end) - stamp_to_ns(begun.header.stamp) < NS // 2
    hands.wait(lambda all_: [m for m in all_ if ended[0] in m.contacts])
    after = contacts.wait(lambda all_: [c for c in ended_ones(all_) if c.header.stamp.sec < 600])
    assert after[0].id > begun.id


def test_in_the_first_seconds_of_simulated_time_windows_begin_at_zero(simulated):
    ros, clock, _ = simulated
    hands = ros.listen(HandTrajectory, "hands")
    clock.now_ns, clock.runs = 0, True
    messages = hands.wait(lambda all_: all_ if all_ and stamp_to_ns(all_[-1].header.stamp) > NS else None, 15.0)
    lengths = []
    for message in messages:
        keypoints, valid = read_hand_trajectory(message)
        lengths.append(len(valid))
        if len(valid) < 120:
            assert stamp_to_ns(message.header.stamp) == 0
        assert not valid[:, 0].any()
        assert np.isfinite(keypoints[-1, RIGHT]).all() == valid[-1, RIGHT]
    assert lengths == sorted(lengths)
    assert lengths[0] < 60
    assert lengths[-1] == 120
