"""The hand tracker as a process, with a hand that moves in TF."""

import hashlib
import math
import struct
import time

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import ContactEvent, HandTrajectory
from lifecycle import Lifecycle
from worlds import NS, TABLE_M, TfHand, ended_ones, save_table, tap_height

from hearing_hands_ros.ros.hand_messages import read_hand_trajectory, stamp_to_ns
from hearing_hands_ros.scene.bundle import SceneBundle

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
MODULE = "hearing_hands_ros.nodes.hand_tracker"
RIGHT = ContactEvent.RIGHT


@pytest.fixture
def tracked(ros_domain, tmp_path):
    """The domain, the node, and a hand that taps once a second."""
    scene = save_table(tmp_path / "scene")
    node = ros_domain.start(
        MODULE, {"scene": str(scene), "retry_s": 0.3, "max_speed_mps": 3.0}
    )  # a jump may be seen in two steps
    hand = TfHand(ros_domain)
    yield ros_domain, node, hand
    hand.stop()


def test_taps_are_reported_once_each_at_their_time_and_place(tracked):
    ros, _, _ = tracked
    contacts = ros.listen(ContactEvent, "contacts")
    hands = ros.listen(HandTrajectory, "hands")
    ended = contacts.wait(
        lambda all_: [c for c in all_ if c.phase == ContactEvent.ENDED][:3] if len(all_) > 7 else None, timeout_s=20.0
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
    hands = ros.listen(HandTrajectory, "hands")
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

    def seen_at(x):
        hands.clear()
        hands.wait(lambda all_: [m for m in all_ if np.allclose(read_hand_trajectory(m)[0][-1, RIGHT, :, 0], x)])

    hand.spoil = elsewhere
    seen_at(-0.25)
    hand.spoil = lambda transforms: transforms
    seen_at(0.05)
    assert contacts.messages == []  # it stood there, but did not come down
    diagnostics.wait_for_value("hand_jumps", lambda jumps: jumps >= 2)  # a frame halfway makes two jumps of one
    hand.height = tap_height
    contacts.clear()
    contacts.wait(lambda all_: [c for c in all_ if c.phase == ContactEvent.ENDED and 0.2 < c.approach_speed < 0.4])
    assert node.is_running


def test_a_hand_that_was_lost_while_it_rests_does_not_touch_again_until_it_has_left(tracked):
    ros, _, hand = tracked
    diagnostics = ros.diagnostics("hand_tracker")
    hand.height = lambda t: 0.1
    diagnostics.wait(OK)
    contacts = ros.listen(ContactEvent, "contacts")
    down_s = time.time() + 0.8
    hand.height = lambda t: min(max(0.3 * (down_s - t), 0.001), 0.1)
    contacts.wait(lambda all_: all_ and all_[-1].phase == ContactEvent.STARTED)
    hand.send = False
    diagnostics.wait(ERROR, "right hand not followed", since=len(diagnostics.statuses))
    assert contacts.messages[-1].phase == ContactEvent.ENDED
    contacts.clear()
    hand.send = True
    diagnostics.wait(OK, since=len(diagnostics.statuses))
    time.sleep(1.0)
    assert contacts.messages == []
    hand.height = tap_height
    contacts.wait(lambda all_: [c for c in ended_ones(all_) if 0.2 < c.approach_speed < 0.4])


def test_a_hand_that_jumps_in_every_frame_is_not_followed(tracked):
    ros, _, hand = tracked
    diagnostics = ros.diagnostics("hand_tracker")
    diagnostics.wait(OK)
    seen = [0]

    def to_and_fro(transforms):
        seen[0] += 1
        for transform in transforms:
            transform.transform.translation.x += seen[0] % 5
        return transforms

    hand.spoil = to_and_fro
    diagnostics.wait(ERROR, "right hand not followed: keypoints jump, faster than 3 m/s")
    hand.spoil = lambda transforms: transforms
    diagnostics.wait(OK, since=len(diagnostics.statuses))


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
    assert wanted in status.message
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


def replace_ply(scene, change):
    """Save the scene as .ply, with a header and a body that `change(header, body)` returns."""
    SceneBundle.load(scene).save(scene, "scene.ply")
    header, mark, body = (scene / "scene.ply").read_bytes().partition(b"end_header\n")
    header, body = change(header, body)
    (scene / "scene.ply").write_bytes(header + mark + body)
    document = yaml.safe_load((scene / "scene.yaml").read_text())
    document["sha256"] = hashlib.sha256(header + mark + body).hexdigest()
    (scene / "scene.yaml").write_text(yaml.safe_dump(document))


def put_not_a_number(scene):
    replace_ply(scene, lambda header, body: (header, struct.pack("<f", math.nan) + body[4:]))


def empty(scene):
    replace_ply(scene, lambda header, _: (header.replace(b"element vertex 3721", b"element vertex 0"), b""))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, "scene.spz"),
        (unregister, "registration"),
        (put_not_a_number, "means has 1 non-finite value"),
        (empty, "file has 0 Gaussians, expected at least 1"),
    ],
)
def test_a_bad_scene_is_named_and_taken_once_it_is_mended(ros_domain, tmp_path, damage, said):
    scene = save_table(tmp_path / "scene")
    damage(scene)
    node = ros_domain.start(MODULE, {"scene": str(scene), "retry_s": 0.3})
    diagnostics = ros_domain.diagnostics("hand_tracker")
    diagnostics.wait(ERROR, said)
    node.wait_for_log(said)
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
    ros_domain.diagnostics("other").wait(ERROR, "wants 21 names or one with {index}, all different, got 2: a, b")


def test_a_pattern_that_makes_no_names_is_shown(ros_domain, tmp_path):
    scene = save_table(tmp_path / "scene")
    patterns = {"open": "kp_{index", "number": "kp_{0}", "other_name": "{hand}_{index}", "same": "kp_{{index}}"}
    for name, pattern in patterns.items():
        parameters = {"scene": str(scene), "right_keypoint_frames": [pattern], "retry_s": 0.3}
        ros_domain.start(MODULE, parameters, remap={"__node": name})
    for name, pattern in patterns.items():
        status = ros_domain.diagnostics(name).wait(ERROR, "'right_keypoint_frames' wants 21 names or one with {index}")
        assert pattern.replace("{{", "{").replace("}}", "}") in status.message
    assert all(process.is_running for process in ros_domain.processes)


def test_the_scene_may_lie_in_the_home_folder(ros_domain, tmp_path):
    save_table(tmp_path / "scene")
    ros_domain.start(MODULE, {"scene": "~/scene"}, environment={"HOME": str(tmp_path)})
    hand = TfHand(ros_domain)
    ros_domain.diagnostics("hand_tracker").wait(OK)
    hand.stop()


def test_a_parameter_out_of_range_ends_the_node_with_the_reason(ros_domain):
    node = ros_domain.start(MODULE, {"touch_m": 5.0})
    node.wait_for_log("parameter 'touch_m' wants float 0.0005 to 0.1")
    assert node.process.wait(5.0) == 2


def test_a_pause_is_no_jump_of_the_clock_and_ends_what_goes_on(tracked):
    ros, _, hand = tracked
    contacts = ros.listen(ContactEvent, "contacts")
    diagnostics = ros.diagnostics("hand_tracker")
    hand.height = lambda t: tap_height(t, dwell_s=0.4)
    lifecycle = Lifecycle(ros, "hand_tracker")
    contacts.wait(lambda all_: all_ and all_[-1].phase == ContactEvent.STARTED)
    assert lifecycle("deactivate")
    contacts.wait(lambda all_: all_[-1].phase == ContactEvent.ENDED)
    time.sleep(2.5)
    assert lifecycle("activate")
    diagnostics.wait(OK, since=len(diagnostics.statuses))
    assert float(diagnostics.values["clock_jumps"]) == 0


def test_a_tracker_that_was_killed_and_started_anew_gives_new_ids(tracked, tmp_path):
    ros, node, _ = tracked
    contacts = ros.listen(ContactEvent, "contacts")
    contacts.wait_for(4)
    node.kill()
    before = {event.id for event in contacts.messages}
    ros.start(MODULE, {"scene": str(tmp_path / "scene")})
    contacts.clear()
    contacts.wait_for(4)
    after = [event.id for event in contacts.messages]
    assert min(after) > max(before)
    assert max(after) < 2**53  # a number to whoever reads numbers as doubles
