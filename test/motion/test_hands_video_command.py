"""`hearing-hands hands`: a camera's recording in, one with touches in it out. The hand and its images are simulated."""

from contextlib import closing
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hand_videos import (
    NS,
    SCENE,
    START_NS,
    Bench,
    Messages,
    camera_info,
    hamer_file,
    header,
    made,
    picture,
    stamps_of,
    tf,
    video,
)
from scipy.spatial.transform import Rotation

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.follower import FollowerSettings
from hearing_hands_ros.replay.hands import RecordedHands
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

FINGERTIP = ContactSettings(touch_m=0.01, release_m=0.016)


@pytest.fixture(scope="module")
def bench():
    return Bench()


@pytest.fixture(scope="module")
def tapped(bench, tmp_path_factory):
    """A recording of a tap with depth, what HaMeR would say of it, times and the true hand."""
    folder = tmp_path_factory.mktemp("tapped")
    time_s, keypoints = bench.taps(1.0)
    bag = video(bench, time_s, keypoints, with_depth=True).write(folder / "bag")
    return bag, hamer_file(folder / "hamer.npz", bench, time_s, keypoints, noise_m=0.002), time_s, keypoints


def hands(bag, out, keypoints, *words):
    return main(["hands", str(bag), "--scene", str(SCENE), "--out", str(out), "--keypoints", str(keypoints), *words])


def followed(bench, path, settings=None):
    """What replay sees: all windows and the follower."""
    with closing(RecordedBag(path)) as bag:
        recorded = RecordedHands(bag, bench.bundle, bench.surface, settings or FollowerSettings(contact=FINGERTIP))
        windows = []
        for connection, stamp_ns, raw in bag.messages(recorded.connections):
            recorded.take(connection, raw)
            windows += recorded.advance(stamp_ns)
        windows += recorded.advance(bag.end_ns + NS)
    return windows, recorded.follower


def touches(windows):
    contacts = {contact.start_ns: contact for contact in chain.from_iterable(w.motion.contacts for w in windows)}
    return [contacts[start_ns] for start_ns in sorted(contacts)]


def true_errors_m(bench, windows, time_s, keypoints):
    """Distances between what the newest window says and the truth, (N, 21)."""
    motion = windows[-1].motion
    stamps = motion.start_ns + np.arange(len(motion.valid)) / motion.rate_hz * NS
    errors = []
    for stamp_ns, points, valid in zip(stamps, motion.keypoints, motion.valid, strict=True):
        at = (stamp_ns - START_NS) / NS
        if valid[1] and time_s[0] <= at <= time_s[-1]:
            truth = [np.interp(at, time_s, column) for column in keypoints.reshape(len(time_s), -1).T]
            errors.append(np.linalg.norm(points[1] - np.reshape(truth, (21, 3)), axis=1))
    return np.array(errors)


@pytest.mark.parametrize(("source", "off_s", "off_m"), [("depth", 0.05, 0.01), ("colour", 0.12, 0.02)])
def test_a_tap_before_a_camera_becomes_a_touch_where_and_when_it_was(
    bench, tapped, tmp_path, source, off_s, off_m, capsys
):
    bag, hamer, time_s, keypoints = tapped
    if source == "colour":
        bag = video(bench, time_s, keypoints, with_depth=False).write(tmp_path / "bag")
    assert hands(bag, tmp_path / "out", hamer) == 0
    printed = capsys.readouterr().out
    assert "'camera_optical' in TF" in printed
    assert ("'/camera/depth'" in printed) == (source == "depth")
    windows, follower = followed(bench, tmp_path / "out")
    assert follower.counts["invalid_frames"] < 0.1 * follower.counts["frames"] + 35  # a second more than the recording
    assert np.median(true_errors_m(bench, windows, time_s, keypoints)) < off_m
    found = touches(windows)
    assert [contact.hand for contact in found] == [1]
    assert (found[0].start_ns - START_NS) / NS == pytest.approx(0.4, abs=off_s)
    assert np.linalg.norm(found[0].position_m - bench.point) < off_m


def test_what_was_recorded_is_there_byte_for_byte(bench, tapped, tmp_path):
    bag, hamer, *_ = tapped
    assert hands(bag, tmp_path / "all.mcap", hamer) == 0
    assert hands(bag, tmp_path / "few", hamer, "--without-images") == 0
    contents = {}
    for path in (bag, tmp_path / "all.mcap", tmp_path / "few"):
        with closing(RecordedBag(path)) as opened:
            contents[path.name] = {(c.topic, c.msgtype, at, raw) for c, at, raw in opened.messages(opened.connections)}
    old, new, few = contents["bag"], contents["all.mcap"], contents["few"]
    assert old < new
    assert {entry[0] for entry in new - old} == {"/tf"}
    assert few == {entry for entry in new if entry[1] != "sensor_msgs/msg/Image"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.mcap", "few"]


def test_a_hand_that_goes_away_is_not_drawn_across_the_gap(bench, tmp_path):
    """It is gone for 0.5 s, and for 0.13 s: the first are invalid frames, the second are not."""
    time_s, keypoints = bench.taps(3.0)
    shown = ~(((time_s > 0.8) & (time_s < 1.3)) | ((time_s > 2.2) & (time_s < 2.33)))
    messages = Messages()
    messages.add("/camera/camera_info", START_NS, camera_info(bench.camera))
    pose = bench.parent_from_scene @ bench.scene_from_camera
    messages.add("/tf_static", START_NS, tf(bench.bundle.parent_frame, "camera_optical", pose))
    grey = np.zeros((bench.camera.height, bench.camera.width), np.uint8)
    for stamp_ns in stamps_of(time_s).tolist():
        messages.add("/camera/image_raw", stamp_ns + 30_000_000, picture(stamp_ns, grey, "mono8"))
    bag = messages.write(tmp_path / "bag")
    hamer = hamer_file(tmp_path / "hamer.npz", bench, time_s[shown], keypoints[shown])
    assert hands(bag, tmp_path / "out", hamer) == 0
    windows, _ = followed(bench, tmp_path / "out")
    motion = windows[-1].motion
    stamps = (motion.start_ns - START_NS) / NS + np.arange(len(motion.valid)) / motion.rate_hz
    valid = motion.valid[:, 1]
    assert not valid[(stamps > 0.81) & (stamps < 1.29)].any()
    assert valid[(stamps > 0.05) & (stamps < 0.75)].all()
    assert valid[(stamps > 1.35) & (stamps < 2.9)].all()


def test_a_camera_on_a_moving_arm_is_where_tf_says_at_every_image(bench, tmp_path):
    time_s, keypoints = bench.taps(1.0)
    messages = Messages()
    messages.add("/camera/camera_info", START_NS, camera_info(bench.camera))
    grey = np.zeros((bench.camera.height, bench.camera.width), np.uint8)
    poses = []
    for at, stamp_ns in zip(time_s, stamps_of(time_s).tolist(), strict=True):
        sway = Sim3(1.0, to_wxyz(Rotation.from_euler("y", 5 * at, degrees=True)), [0.1 * at, 0.0, 0.0])
        pose = bench.scene_from_camera @ sway
        poses.append(pose)
        parent = bench.parent_from_scene @ pose
        messages.add("/tf", stamp_ns, tf(bench.bundle.parent_frame, "camera_optical", parent, stamp_ns))
        messages.add("/camera/image_raw", stamp_ns + 30_000_000, picture(stamp_ns, grey, "mono8"))
    bag = messages.write(tmp_path / "bag")
    points = np.stack([pose.inverse().apply(k) for pose, k in zip(poses, keypoints, strict=True)])
    nothing = np.zeros((len(points), 3))
    np.savez(tmp_path / "k.npz", stamps_ns=stamps_of(time_s), is_right=np.ones(len(points)), pred_keypoints_3d=points,
             cam_t=nothing)  # fmt: skip
    assert hands(bag, tmp_path / "out", tmp_path / "k.npz") == 0
    windows, _ = followed(bench, tmp_path / "out")
    assert np.percentile(true_errors_m(bench, windows, time_s, keypoints), 90) < 0.003


def on_an_arm(bench, path, time_s, image_stamps_ns, tf_time_s, behind_s=0.0):
    """A recording of grey images of a camera that TF moves; by `behind_s` its clock is behind that of TF."""
    messages = Messages()
    messages.add("/camera/camera_info", START_NS, camera_info(bench.camera))
    for at, stamp_ns in zip(tf_time_s, stamps_of(tf_time_s).tolist(), strict=True):
        sway = Sim3(1.0, to_wxyz(Rotation.from_euler("y", 5 * at, degrees=True)), [0.01 * at, 0.0, 0.0])
        parent = bench.parent_from_scene @ bench.scene_from_camera @ sway
        messages.add("/tf", stamp_ns, tf(bench.bundle.parent_frame, "camera_optical", parent, stamp_ns))
    grey = np.zeros((bench.camera.height, bench.camera.width), np.uint8)
    for at_ns, stamp_ns in zip(stamps_of(time_s).tolist(), image_stamps_ns, strict=True):
        shown = picture(int(stamp_ns), grey, "mono8")
        messages.add("/camera/image_raw", at_ns + round(behind_s * NS) + 30_000_000, shown)
    return messages.write(path)


def test_images_whose_stamps_repeat_go_back_or_are_missing_are_left_out_and_counted(bench, tmp_path, capsys):
    time_s, keypoints = bench.taps(2.0)
    stamps = stamps_of(time_s)
    stamps[10] = stamps[9]  # twice the same
    stamps[[20, 21]] = stamps[[21, 20]]  # in another order
    stamps[30] = 0
    stamps[40] += 10**18  # decades off
    stamps[50] = NS  # before everything
    bag = on_an_arm(bench, tmp_path / "bag", time_s, stamps, np.arange(-0.5, 2.5, 0.01))
    hamer = hamer_file(tmp_path / "hamer.npz", bench, time_s, keypoints)
    assert hands(bag, tmp_path / "out", hamer) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 images without a stamp" in said
    assert "4 images whose stamps repeat or go back" in said
    assert "right in 55 images in 1 stretches" in said
    windows, _ = followed(bench, tmp_path / "out")
    assert len(touches(windows)) == 2


def test_images_at_which_tf_does_not_know_the_camera_are_counted_by_why(bench, tmp_path, capsys):
    time_s, keypoints = bench.taps(2.0)
    known = np.arange(0.49, 1.01, 0.01)  # of the images from 0.5 to 1 s
    bag = on_an_arm(bench, tmp_path / "bag", time_s, stamps_of(time_s), known)
    hamer = hamer_file(tmp_path / "hamer.npz", bench, time_s, keypoints)
    assert hands(bag, tmp_path / "out", hamer) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "15 images without a camera pose: TF begins after them" in said
    assert "29 images without a camera pose: TF ends before them" in said
    assert "right in 16 images" in said
    assert "clock" not in said


def test_a_camera_whose_clock_is_not_that_of_tf_is_said_to_have_another(bench, tmp_path, capsys):
    time_s, keypoints = bench.taps(1.0)
    hamer = hamer_file(tmp_path / "hamer.npz", bench, time_s, keypoints)
    moving = np.arange(-0.5, 4.5, 0.02)
    behind = on_an_arm(bench, tmp_path / "behind", time_s, stamps_of(time_s), moving, behind_s=3.0)
    assert hands(behind, tmp_path / "out", hamer) == 0  # TF of those times is there, and wrong
    assert "the images' stamps are 3.0 s behind those of TF" in " ".join(capsys.readouterr().out.split())
    ahead = on_an_arm(bench, tmp_path / "ahead", time_s, stamps_of(time_s) + 20 * NS, moving)
    assert hands(ahead, tmp_path / "other", hamer) == 2
    assert "the images' stamps are 20.0 s ahead of those of TF" in " ".join(capsys.readouterr().err.split())


def test_a_camera_that_nobody_knows_the_place_of_is_an_error(bench, tapped, tmp_path, capsys):
    _, hamer, time_s, keypoints = tapped
    bag = video(bench, time_s[:10], keypoints[:10], with_depth=False, with_tf=False).write(tmp_path / "bag")
    assert hands(bag, tmp_path / "out", hamer) == 2
    said = capsys.readouterr().err
    assert (
        "wanted the place of the camera of '/camera/image_raw', from TF or from the scene's photos, got neither" in said
    )
    assert "camera_optical" in said
    assert "wanted a bundle with 'sfm'" in said
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]


def test_hands_of_no_image_here_write_nothing(bench, tapped, tmp_path, capsys):
    bag, _, time_s, keypoints = tapped
    later = hamer_file(tmp_path / "later.npz", bench, time_s + 100.0, keypoints)
    assert hands(bag, tmp_path / "out", later) == 1
    printed = capsys.readouterr().out
    assert "30 of 30 hands in the file are of no image here" in printed
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_used_is_named(bench, tapped, tmp_path, capsys):
    bag, hamer, time_s, keypoints = tapped
    assert hands(bag, tmp_path / "again", hamer) == 0
    assert hands(tmp_path / "again", tmp_path / "twice", hamer) == 2
    assert "wanted TF without hands, got the frame 'hand_right/kp_00'" in capsys.readouterr().err
    assert hands(bag, tmp_path / "again", hamer) == 2
    assert "wanted a name that is free" in capsys.readouterr().err
    assert hands(bag, tmp_path / "out", hamer, "--depth-topic", "/nowhere") == 2
    assert (
        "wanted depth images (16UC1, 32FC1 or compressedDepth) on '/nowhere', got /camera/depth"
        in capsys.readouterr().err
    )
    messages = video(bench, time_s[:5], keypoints[:5], with_depth=False)
    for stamp_ns in stamps_of(time_s[:5]).tolist():
        messages.add("/camera/depth", stamp_ns, picture(stamp_ns, np.full((60, 80), 500, np.uint16), "16UC1"))
    assert hands(messages.write(tmp_path / "small"), tmp_path / "out", hamer) == 2
    assert "wanted depth on '/camera/depth' aligned to the 320 x 240 pixels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_images_of_any_encoding_and_damaged_ones(bench, tmp_path, capsys):
    """Colour images are only decoded when a finder of hands wants them; what is no image is no hand."""
    import io

    from PIL import Image

    from hearing_hands_ros.hands_from_video.frames import CameraBag, Topics

    pixels = np.zeros((240, 320, 3), np.uint8)
    pixels[..., 0] = 200
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    data = np.frombuffer(stream.getvalue(), np.uint8)
    messages = Messages()
    messages.add("/camera/camera_info", START_NS, camera_info(bench.camera))
    for index, content in enumerate((data, data[:50], data)):
        stamp_ns = START_NS + index * NS // 30
        compressed = made("sensor_msgs/msg/CompressedImage", header=header(stamp_ns), format="png", data=content)
        messages.add("/camera/image_raw/compressed", stamp_ns, compressed)
    with closing(RecordedBag(messages.write(tmp_path / "bag"))) as bag:
        camera = CameraBag(bag, Topics())
        frames = [frame for frame, _ in camera.frames()]
        assert (camera.image_topic, camera.depth_topic) == ("/camera/image_raw/compressed", "")
        assert frames[0].pixels[0, 0].tolist() == [200, 0, 0]
        with pytest.raises(ValueError, match="wanted a JPEG or PNG"):
            _ = frames[1].pixels
        assert replace(frames[2]).depth_m is None
