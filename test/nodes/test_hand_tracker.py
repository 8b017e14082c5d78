"""The hand tracker as a process, with a hand that moves in TF."""

import math

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import ContactEvent, HandTrajectory
from rosgraph_msgs.msg import Clock
from worlds import NS, TABLE_M, TfHand, save_table, tap_height

from hearing_hands_ros.ros.hand_messages import read_hand_trajectory, stamp_from_ns, stamp_to_ns

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
MODULE = "hearing_hands_ros.nodes.hand_tracker"
RIGHT = ContactEvent.RIGHT


@pytest.fixture
def tracked(ros_domain, tmp_path):
    """The domain, the node, and a hand that taps once a second."""
    scene = save_table(tmp_path / "scene")
    node = ros_domain.start(MODULE, {"scene": str(scene), "retry_s": 0.3})
    hand = TfHand(ros_domain)
    yield ros_domain, node, hand
    hand.stop()


def ended_ones(events):
    return [event for event in events if event.phase == ContactEvent.ENDED]


def test_taps_are_reported_once_each_at_their_time_and_place(tracked):
    ros, _, _ = tracked
    contacts = ros.listen(ContactEvent, "contacts")
    hands = ros.listen(HandTrajectory, "hands")
    ended = contacts.wait(
        lambda all_: [c for c in all_ if c.phase == ContactEvent.ENDED][:3] if len(all_) > 7 else None
    )
    for event in ended:
        # tap_height touches in the middle of every second
        assert stamp_to_ns(event.header.stamp) / NS % 1.0 == pytest.approx(0.5, abs=0.015)
        assert event.header.frame_id == "table_scene"
        assert event.kind == ContactEvent.TAP
        assert event.hand == RIGHT
        assert event.material == "wood"
        assert event.approach_speed == pytest.approx(0.3, rel=0.2)
        assert event.position.x == pytest.approx(0.05, abs=0.01)
        assert event.normal.z == pytest.approx(1.0, abs=0.02)
    assert len({event.id for event in ended}) == 3
    started = [c.id for c in contacts.messages if c.phase == ContactEvent.STARTED]
    assert sorted(started) == sorted(set(started))
    message = hands.wait(lambda all_: [m for m in all_ if len(m.contacts) >= 3])[-1]
    keypoints, valid = read_hand_trajectory(message)
    assert message.rate_hz == 30.0
    assert keypoints.shape == (120, 2, 21, 3)
    assert valid[-30:, RIGHT].all()
    assert not valid[:, 0].any()
    assert keypoints[-30:, RIGHT, 8, 2].min() == pytest.approx(0.0, abs=0.012)


def test_lost_tf_is_said_and_marks_frames_invalid_then_all_is_well_again(tracked):
    ros, _, hand = tracked
    diagnostics = ros.diagnostics("hand_tracker")
    diagnostics.wait(OK)
    hands = ros.listen(HandTrajectory, "hands")
    hand.send = False
    status = diagnostics.wait(ERROR, "right hand not followed")
    assert "extrapolation" in status.message.lower()
    silent = hands.wait(lambda all_: [m for m in all_ if not read_hand_trajectory(m)[1][-20:, RIGHT].any()])
    assert np.isnan(read_hand_trajectory(silent[0])[0][-10:, RIGHT]).all()
    hand.send = True
    diagnostics.wait(OK, since=len(diagnostics.statuses))


def test_damaged_tf_touches_nothing_and_does_not_last(tracked):
    ros, node, hand = tracked
    contacts = ros.listen(ContactEvent, "contacts")
    diagnostics = ros.diagnostics("hand_tracker")
    diagnostics.wait(OK)
    hand.height = lambda t: 0.05  # touches nothing

    def not_a_number(transforms):
        transforms[8].transform.translation.z = math.nan
        return transforms

    hand.spoil = not_a_number
    diagnostics.wait(ERROR, "right hand not followed")
    hand.spoil = lambda transforms: transforms
    diagnostics.wait(OK, since=len(diagnostics.statuses))
    contacts.clear()

    def elsewhere(transforms):  # from one message to the next, right onto the table
        for index, transform in enumerate(transforms):
            transform.transform.translation.x = -0.25
            transform.transform.translation.y = 0.25
            transform.transform.translation.z = TABLE_M + 0.001 * index
        return transforms

    hand.spoil = elsewhere
    diagnostics.wait_for_value("hand_jumps", lambda jumps: jumps == 1)
    hand.spoil = lambda transforms: transforms
    diagnostics.wait_for_value("hand_jumps", lambda jumps: jumps == 2)
    assert all(event.approach_speed < 0.5 for event in contacts.messages)  # it stood there, but did not come down
    hand.height = tap_height
    contacts.clear()
    contacts.wait(lambda all_: [c for c in all_ if c.phase == ContactEvent.ENDED and 0.2 < c.approach_speed < 0.4])
    assert node.is_running


def test_tf_that_goes_backwards_is_survived(tracked):
    ros, _, hand = tracked
    diagnostics = ros.diagnostics("hand_tracker")
    diagnostics.wait(OK)
    now = hand.stamp
    hand.stamp = lambda: now() - 60 * NS
    diagnostics.wait(ERROR, "not followed")
    hand.stamp = now
    diagnostics.wait(OK, since=len(diagnostics.statuses))


@pytest.mark.parametrize(
    ("frames", "parent", "wanted"),
    [("nobody/kp_{:02d}", "world", "hand_right/kp_00"), ("hand_right/kp_{:02d}", "mars", "not part of the same tree")],
)
def test_unknown_and_disconnected_frames_are_named(ros_domain, tmp_path, frames, parent, wanted):
    scene = save_table(tmp_path / "scene")
    ros_domain.start(MODULE, {"scene": str(scene)})
    hand = TfHand(ros_domain, frames=frames, parent=parent)
    diagnostics = ros_domain.diagnostics("hand_tracker")
    status = diagnostics.wait(ERROR, "right hand not followed")
    assert wanted in status.message or "unconnected trees" in status.message
    hands = ros_domain.listen(HandTrajectory, "hands")
    assert not read_hand_trajectory(hands.wait_for(1)[0])[1].any()
    hand.stop()


def test_an_end_effector_becomes_a_hand(ros_domain, tmp_path):
    scene = save_table(tmp_path / "scene")
    parameters = {"scene": str(scene), "left_end_effector_frame": "tool0_00", "gripper_length_m": 0.12}
    ros_domain.start(MODULE, {**parameters, "gripper_opening_m": 0.06, "right_keypoint_frames": [""]})
    # Only frame 00 is looked at; it stands 0.15 m over its lowest keypoint and is not turned, so the tool points up.
    hand = TfHand(ros_domain, height=lambda t: 0.0, frames="tool0_{:02d}")
    hands = ros_domain.listen(HandTrajectory, "hands")
    message = hands.wait(lambda all_: [m for m in all_ if read_hand_trajectory(m)[1][-10:, 0].all()])[0]
    keypoints, valid = read_hand_trajectory(message)
    assert not valid[:, RIGHT].any()
    np.testing.assert_allclose(keypoints[-1, 0, 0], [0.05, 0.0, 0.15], atol=1e-5)
    np.testing.assert_allclose(keypoints[-1, 0, 4], [0.02, 0.0, 0.27], atol=1e-5)
    np.testing.assert_allclose(keypoints[-1, 0, 8], [0.08, 0.0, 0.27], atol=1e-5)
    hand.stop()


def truncate(scene):
    path = next(scene.glob("scene.spz"))
    path.write_bytes(path.read_bytes()[:1000])


def unregister(scene):
    path = scene / "scene.yaml"
    document = yaml.safe_load(path.read_text())
    del document["registration"]
    path.write_text(yaml.safe_dump(document))


@pytest.mark.parametrize(("damage", "said"), [(truncate, "scene.spz"), (unregister, "registration")])
def test_a_bad_scene_is_named_and_taken_once_it_is_mended(ros_domain, tmp_path, damage, said):
    scene = save_table(tmp_path / "scene")
    damage(scene)
    node = ros_domain.start(MODULE, {"scene": str(scene), "retry_s": 0.3})
    diagnostics = ros_domain.diagnostics("hand_tracker")
    diagnostics.wait(ERROR, said)
    node.wait_for_log("scene.yaml" if said == "registration" else "scene.spz")
    save_table(scene)
    hand = TfHand(ros_domain)
    diagnostics.wait(OK)
    hand.stop()


def test_a_scene_that_is_not_there_and_frames_that_are_too_few_are_named(ros_domain, tmp_path):
    ros_domain.start(MODULE, {"scene": str(tmp_path / "nowhere")})
    diagnostics = ros_domain.diagnostics("hand_tracker")
    diagnostics.wait(ERROR, "nowhere")
    scene = save_table(tmp_path / "scene")
    ros_domain.start(MODULE, {"scene": str(scene), "right_keypoint_frames": ["a", "b"]}, remap={"__node": "other"})
    ros_domain.diagnostics("other").wait(ERROR, "wants 21 names or one with {index}, got 2")


def test_a_parameter_out_of_range_ends_the_node_with_the_reason(ros_domain):
    node = ros_domain.start(MODULE, {"touch_m": 5.0})
    node.wait_for_log("parameter 'touch_m' wants float 0.0005 to 0.1")
    assert node.process.wait(5.0) == 2


def test_simulated_time_may_stand_jump_and_go_back(ros_domain, tmp_path):
    scene = save_table(tmp_path / "scene")
    ros_domain.start(MODULE, {"scene": str(scene), "use_sim_time": True})
    diagnostics = ros_domain.diagnostics("hand_tracker")
    diagnostics.wait(WARN, "the clock stands")
    clock = ros_domain.talk(Clock, "/clock")
    time_ns = [1000 * NS]

    def tick():
        time_ns[0] += 16_000_000
        clock.publish(Clock(clock=stamp_from_ns(time_ns[0])))
        return time_ns[0]

    hand = TfHand(ros_domain, stamp=tick)
    contacts = ros_domain.listen(ContactEvent, "contacts")
    for start_s in (1000, 5000, 200):
        time_ns[0] = start_s * NS
        contacts.clear()
        contacts.wait(
            lambda all_, s=start_s: [c for c in all_ if c.phase == ContactEvent.ENDED and 0 <= c.end.sec - s < 9]
        )
        diagnostics.wait(OK, since=len(diagnostics.statuses))
    assert float(diagnostics.values["clock_jumps"]) == 2
    hand.stop()


def test_a_killed_tracker_is_a_tracker_again_when_started_anew(tracked, tmp_path):
    ros, node, _ = tracked
    contacts = ros.listen(ContactEvent, "contacts")
    contacts.wait_for(1)
    node.kill()
    ros.start(MODULE, {"scene": str(tmp_path / "scene")})
    contacts.clear()
    contacts.wait_for(2)
