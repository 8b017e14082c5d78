"""The recorder beside a robot over real DDS: killed, interrupted, without room, without what it needs."""

import array
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from hearing_hands_ros.msg import Audio
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.serialization import serialize_message
from ros_domain import wait_until
from sensor_msgs.msg import Image
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from hearing_hands_ros.replay.recorded_bag import RecordedBag

WARN, ERROR = DiagnosticStatus.WARN, DiagnosticStatus.ERROR
MODULE = "hearing_hands_ros.nodes.bag_recorder"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def transforms(parent, *children):
    message = TFMessage()
    for child in children:
        transform = TransformStamped(child_frame_id=child)
        transform.header.frame_id = parent
        message.transforms.append(transform)
    return message


class Robot:
    """Publishes a hand in TF at 100 Hz, sound at 50 Hz and noisy images at 30 Hz, and keeps what it sent, in bytes."""

    def __init__(self, ros):
        self.sent = defaultdict(list)  # by topic: (wall time in ns, bytes)
        self.hear = self.track = self.see = True
        self.loudness = 0.1
        self._rng = np.random.default_rng(0)
        self._publishers = {
            "/tf": ros.talk(TFMessage, "/tf"),
            "/tf_static": ros.talk(TFMessage, "/tf_static", LATCHED),
            "/heard/audio": ros.talk(Audio, "/heard/audio"),
            "/camera/image_raw": ros.talk(Image, "/camera/image_raw", qos_profile_sensor_data),
            "/note": ros.talk(String, "/note"),
        }
        self._send("/tf_static", transforms("world", "base_link"))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join(5.0)

    def _send(self, topic, message):
        raw = serialize_message(message)  # once: what fills the gaps between fields is another every time
        self.sent[topic].append(
            (time.time_ns(), raw.ljust(-len(raw) // 4 * -4, b"\0"))
        )  # as the middleware fills it up
        self._publishers[topic].publish(raw)

    def _run(self):
        hand = transforms("base_link", *(f"hand_right/kp_{k:02d}" for k in range(21)))
        for tick in range(100_000):
            if self._stopping.wait(0.01):
                return
            if self.track:
                hand.transforms[0].header.stamp.nanosec = tick
                self._send("/tf", hand)
            if tick % 2 == 0 and self.hear:
                wave = self._rng.normal(0, self.loudness, 320).astype(np.float32)
                data = array.array("f", wave.tobytes())
                self._send("/heard/audio", Audio(sample_rate_hz=16000, channels=1, first_sample=tick, data=data))
            if tick % 3 == 0 and self.see:
                pixels = array.array("B", self._rng.integers(0, 255, 30_000, np.uint8).tobytes())
                self._send("/camera/image_raw", Image(height=100, width=100, step=300, encoding="rgb8", data=pixels))
            if tick % 10 == 0:
                self._send("/note", String(data=f"note {tick}"))


@pytest.fixture
def robot(ros_domain):
    made = Robot(ros_domain)
    yield made
    made.stop()


@pytest.fixture
def recorder(ros_domain, tmp_path):
    """Start a recorder to tmp_path / 'bag', with some parameters."""

    def start(**parameters):
        return ros_domain.start(MODULE, {"out": str(tmp_path / "bag"), "say_s": 0.5, **parameters})

    return start


def recorded(path):
    """Messages of a bag by topic: time in ns and bytes."""
    bag = RecordedBag(path)
    found = defaultdict(list)
    for connection, stamp_ns, raw in bag.messages(bag.connections):
        found[connection.topic].append((stamp_ns, raw))
    bag.close()
    return found


def check_the_same(found, sent, topic):
    """The messages recorded are a run of those sent, to the byte, each with the time of its receipt; return them."""
    got, gave = [raw for _, raw in found[topic]], [raw for _, raw in sent[topic]]
    assert got, f"nothing of {topic}"
    first = gave.index(got[0])
    assert got == gave[first : first + len(got)], topic
    if topic != "/tf_static":  # which is received long after it was sent
        for (stamp_ns, _), (sent_ns, _) in zip(found[topic], sent[topic][first:], strict=False):
            assert 0 <= stamp_ns - sent_ns < 500_000_000
    return found[topic]


def gaps(found, sent, topic):
    """How many messages are missing at each place where some are, of those recorded in the order of sending."""
    gave = [raw for _, raw in sent[topic]]
    kept = [gave.index(raw) for _, raw in found[topic]]
    assert kept == sorted(kept)
    return [step - 1 for step in np.diff(kept) if step > 1]


def test_everything_that_was_sent_is_in_the_bag_to_the_byte_after_ctrl_c(ros_domain, robot, audio_interfaces, tmp_path):
    prefix = audio_interfaces("foxglove_msgs")
    ros_domain.start("test/nodes/families_talker.py", arguments=["foxglove_msgs/msg/RawAudio"], prefix=prefix)
    wanted = {"out": str(tmp_path / "bag"), "say_s": 0.5, "topics": ["/note", "/audio"], "scene": "demo/scene"}
    node = ros_domain.start(MODULE, wanted, prefix=prefix)
    late = ros_domain.start(MODULE, {"out": str(tmp_path)})
    diagnostics = ros_domain.diagnostics("bag_recorder")
    diagnostics.wait(WARN, "the microphone's lag is not calibrated", timeout_s=20.0)
    diagnostics.wait_for_value("seconds", lambda seconds: seconds >= 4.0)  # before, not everything was looked for
    wait_until(lambda: "/heard/audio" in diagnostics.values, 10.0, lambda: str(diagnostics.values))
    diagnostics.wait_for_value("megabytes", lambda megabytes: megabytes > 2.0)
    assert int(re.match(r"(\d+) messages, \d\d+/s$", diagnostics.values["/tf"])[1]) > 100
    assert "no TF" not in diagnostics.statuses[-1].message, "the hand hangs below the scene's frame"
    interrupted_ns = time.time_ns()
    assert node.stop() == 0, node.log
    assert re.search(r"recorded '.*bag': 0:0\d  [\d.]+ MB", node.log)
    assert "Traceback" not in node.log
    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == ["bag.mcap", "metadata.yaml"]
    found = recorded(tmp_path / "bag")
    for topic in ("/tf", "/tf_static", "/heard/audio", "/camera/image_raw", "/note"):
        messages = check_the_same(found, robot.sent, topic)
        assert topic == "/tf_static" or messages[-1][0] > interrupted_ns - 500_000_000
    assert len(found["/tf_static"]) == 1, "what was latched before it began belongs into the bag"
    bag = RecordedBag(tmp_path / "bag")
    (connection,) = (each for each in bag.connections if each.topic == "/audio")  # was offered as best effort
    message = bag.deserialize(connection, found["/audio"][0][1])
    assert (message.sample_rate, message.number_of_channels, message.format) == (16000, 2, "pcm-s16")
    assert late.wait_or_kill(10.0) == 2, "a folder that is there is not touched"
    assert "parameter 'out' wants a folder that is not there" in late.log


def test_a_full_disk_is_an_error_then_it_goes_on_and_after_a_kill_all_but_the_last_second_is_there(
    ros_domain, robot, recorder, tmp_path
):
    node = recorder(queue_mb=1, images="required")
    diagnostics = ros_domain.diagnostics("bag_recorder")
    diagnostics.wait_for_value("megabytes", lambda megabytes: megabytes > 1.0, timeout_s=20.0)
    pid, (_, most) = node.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    diagnostics.wait(ERROR, "bag': [Errno 27] File too large")
    diagnostics.wait_for_value("dropped", lambda dropped: dropped > 10)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
    since, size = len(diagnostics.statuses), float(diagnostics.values["megabytes"])
    diagnostics.wait_for_value("megabytes", lambda megabytes: megabytes > size + 2.0)
    assert "File too large" not in diagnostics.wait(ERROR, "messages dropped: ", since=since + 2).message
    killed_ns = time.time_ns()
    node.kill()
    assert [path.name for path in (tmp_path / "bag").iterdir()] == ["bag.mcap"]
    found = recorded(tmp_path / "bag")
    holes = {topic: gaps(found, robot.sent, topic) for topic in ("/camera/image_raw", "/heard/audio")}
    assert holes["/camera/image_raw"], "there was no room for all images"
    assert len(holes["/heard/audio"]) <= 1, "sound is missing at most once, while there was no room"
    for topic in ("/tf", "/heard/audio", "/camera/image_raw"):
        assert killed_ns - found[topic][-1][0] < 1_500_000_000, topic


def test_what_is_missing_is_said_until_it_comes(ros_domain, robot, recorder, audio_interfaces):
    robot.track, robot.see, robot.loudness = False, False, 0.0
    prefix = audio_interfaces("foxglove_msgs")
    ros_domain.start("test/nodes/families_talker.py", arguments=["foxglove_msgs/msg/RawAudio"], prefix=prefix)
    node = recorder(topics=["/joint_states", "/audio"], scene="demo/scene", images="required")
    diagnostics = ros_domain.diagnostics("bag_recorder")
    message = diagnostics.wait(WARN, "the microphone '/heard/audio' is silent", timeout_s=20.0).message
    assert "no TF for 21 of 21 frames of the hand (hand_right/kp_00, " in message
    assert "no image: nothing on a topic with images" in message
    assert "nothing on '/joint_states', which was asked for" in message
    assert "'/audio' is not recorded: message type 'foxglove_msgs/msg/RawAudio': wanted package" in message
    node.wait_for_log("[bag_recorder]: missing: no TF for 21 of 21 frames of the hand")
    robot.track, robot.see, robot.loudness = True, True, 0.1
    gone = ("no TF", "is silent", "no image")
    wait_until(
        lambda: not any(text in diagnostics.statuses[-1].message for text in gone),
        10.0,
        lambda: diagnostics.statuses[-1].message,
    )
    robot.hear = False
    diagnostics.wait(WARN, "no sound on '/heard/audio' for ", since=len(diagnostics.statuses))
    node.process.terminate()
    assert node.wait_or_kill() == 0, node.log


def test_the_command_shows_a_live_line_and_ends_with_what_to_type_next(ros_domain, robot, tmp_path):
    """In a terminal, as a person has it: Ctrl-C twice, because the first seems to do nothing."""
    command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "record", "--out", str(tmp_path / "bag")]
    command += ["--scene", "demo/scene", "/note"]
    master, slave = pty.openpty()
    environment = {**ros_domain.environment, "COLUMNS": "150", "TERM": "xterm"}
    process = subprocess.Popen(command, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = bytearray()

    def read():
        try:
            while data := os.read(master, 65536):
                shown.extend(data)
        except OSError:  # the other end is closed
            pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        wait_until(lambda: b"/note " in shown, 25.0, lambda: shown.decode(errors="replace"))
        wait_until(lambda: b"0:04" in shown, 25.0, lambda: shown.decode(errors="replace"))
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(10.0) == 0, shown.decode(errors="replace")
    finally:
        process.kill()
        process.wait()
    thread.join(2.0)
    os.close(master)
    text = shown.decode(errors="replace")
    assert "missing: the microphone's lag is not calibrated" in text
    assert re.search(r"recorded [\d.]+ s, [\d.]+ MB: .*/bag", text)
    assert f"next: hearing-hands calibrate lag {tmp_path / 'bag'} --scene demo/scene --out my_robot.yaml" in text
    assert "Traceback" not in text
    assert len(recorded(tmp_path / "bag")["/tf"]) > 100
