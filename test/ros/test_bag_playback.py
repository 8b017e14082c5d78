"""The bag player: what it refuses, what it publishes, and when."""

import array
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from patience import patience
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float32MultiArray, String

from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.ros.bag_playback import BagPlayer

START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000


def make_bag(path: Path, count: int = 50, plugin: StoragePlugin = StoragePlugin.MCAP, unknown: bool = False) -> Path:
    """A bag with a latched text at its begin, /numbers and /sound at 100 Hz, and a type that nobody has."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("float32 value\n", "no_such_msgs/msg/Thing"))
    text_type, array_type = store.types["std_msgs/msg/String"], store.types["std_msgs/msg/Float32MultiArray"]
    layout = store.types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        static = writer.add_connection("/tf_static", text_type.__msgtype__, typestore=store)
        numbers = writer.add_connection("/numbers", text_type.__msgtype__, typestore=store)
        sound = writer.add_connection("/sound", array_type.__msgtype__, typestore=store)
        writer.write(static, START_NS, store.serialize_cdr(text_type(data="latched"), text_type.__msgtype__))
        if unknown:
            other = writer.add_connection("/other", "no_such_msgs/msg/Thing", typestore=store)
            thing = store.types["no_such_msgs/msg/Thing"](value=1.0)
            writer.write(other, START_NS, store.serialize_cdr(thing, "no_such_msgs/msg/Thing"))
        samples = array_type(layout=layout, data=np.zeros(160, np.float32))
        raw = store.serialize_cdr(samples, array_type.__msgtype__)
        for index in range(count):
            stamp = START_NS + (index + 1) * STEP_NS
            writer.write(numbers, stamp, store.serialize_cdr(text_type(data=str(index)), text_type.__msgtype__))
            writer.write(sound, stamp, raw)
    return path


@pytest.fixture
def node(ros):
    node = Node("player_under_test")
    yield node
    node.destroy_node()


class Listener:
    """Spins in a thread and keeps what it heard, with the time of arrival."""

    def __init__(self) -> None:
        self.node = Node("listener")
        self.heard: dict[str, list] = {"/numbers": [], "/sound": [], "/clock": [], "/tf_static": []}
        for topic, kind in (("/numbers", String), ("/sound", Float32MultiArray), ("/clock", Clock)):
            self.node.create_subscription(kind, topic, lambda m, t=topic: self.note(t, m), 1000)
        latched = QoSProfile(
            depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE
        )
        self.node.create_subscription(String, "/tf_static", lambda m: self.note("/tf_static", m), latched)
        self.executor = rclpy.executors.SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.running = True
        self.thread = Thread(target=self.spin, daemon=True)
        self.thread.start()

    def note(self, topic, message) -> None:
        self.heard[topic].append((time.monotonic(), message))

    def spin(self) -> None:
        while self.running:
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self.running = False
        self.thread.join(2.0)
        self.node.destroy_node()


@pytest.fixture
def listener(node):
    listener = Listener()
    yield listener
    listener.close()


def play(node, listener, bag, **options):
    player = BagPlayer(node, bag, **options)
    missing = player.wait_for_subscribers(["/numbers", "/sound", "/tf_static"], 10.0, Event())
    assert missing == []
    begin = time.monotonic()
    report = player.play(Event())
    took = time.monotonic() - begin
    time.sleep(0.2 * patience())
    return report, took


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_everything_recorded_is_heard_once_and_in_order(node, listener, tmp_path, plugin):
    bag = RecordedBag(make_bag(tmp_path / "bag", plugin=plugin))
    report, _ = play(node, listener, bag, rate=5.0)
    bag.close()
    assert report.published == {"/numbers": 50, "/sound": 50, "/tf_static": 1}
    assert [m.data for _, m in listener.heard["/numbers"]] == [str(i) for i in range(50)]
    assert [m.data for _, m in listener.heard["/tf_static"]] == ["latched"]
    assert listener.heard["/sound"][0][1].data == array.array("f", [0.0] * 160)


def test_a_single_mcap_file_is_a_bag(node, listener, tmp_path):
    folder = make_bag(tmp_path / "bag")
    bag = RecordedBag(next(folder.glob("*.mcap")))
    report, _ = play(node, listener, bag, rate=10.0)
    bag.close()
    assert report.published.total() == 101


def test_it_keeps_time_and_does_not_drift(node, listener, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag", count=300))
    report, took = play(node, listener, bag)
    bag.close()
    late = np.asarray(report.late_s)
    print(f"\nlate: median {1e3 * np.median(late):.2f} ms, 99 % {1e3 * np.percentile(late, 99):.2f} ms, "
          f"worst {1e3 * late.max():.2f} ms")  # fmt: skip
    assert took == pytest.approx(3.0, abs=0.05 * patience())
    assert np.median(late) < 0.005 * patience()
    assert np.median(late[-100:]) - np.median(late[:100]) < 0.003 * patience()
    gaps = np.diff([at for at, _ in listener.heard["/numbers"]])
    assert np.mean(gaps) == pytest.approx(0.01, rel=0.15)  # the listener, too, waits for its turn


def test_clock_runs_at_100_hz_at_bag_time_through_the_tail(node, listener, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag"))
    report, took = play(node, listener, bag, tail_s=0.5)
    bag.close()
    ticks = [m.clock.sec * 10**9 + m.clock.nanosec - START_NS for _, m in listener.heard["/clock"]]
    assert took == pytest.approx(1.0, abs=0.05 * patience())
    assert min(ticks) == 0
    assert max(ticks) == pytest.approx(1_000_000_000, abs=1_000)
    assert ticks == sorted(ticks)
    assert report.clock_ticks > 80 / patience()  # of 101; those that were overdue are left out


def test_start_skips_but_still_gives_what_was_latched_before(node, listener, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag"))
    report, took = play(node, listener, bag, start_s=0.405, rate=0.5)
    bag.close()
    assert [m.data for _, m in listener.heard["/numbers"]] == [str(i) for i in range(40, 50)]
    assert [m.data for _, m in listener.heard["/tf_static"]] == ["latched"]
    assert report.published["/tf_static"] == 1
    assert took == pytest.approx(0.19, abs=0.05 * patience())


def test_only_the_chosen_topics_are_played(node, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag"))
    player = BagPlayer(node, bag, topics=("/numbers",), rate=20.0)
    assert player.topics == ["/numbers"]
    with pytest.raises(ValueError, match=r"/nothing; it has: /numbers, /sound, /tf_static"):
        BagPlayer(node, bag, topics=("/nothing",))
    bag.close()


def test_types_that_are_not_installed_are_skipped_and_counted(node, listener, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag", unknown=True))
    report, _ = play(node, listener, bag, rate=10.0)
    bag.close()
    assert report.skipped == {"/other": 1}
    assert report.published.total() == 101
    assert "1 skipped" in report.summary()


def test_a_type_that_changed_since_is_skipped(node, tmp_path):
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg("string data\nint32 more\n", "std_msgs/msg/String"))
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/text", "std_msgs/msg/String", typestore=store)
        message = store.types["std_msgs/msg/String"](data="a", more=1)
        writer.write(connection, START_NS, store.serialize_cdr(message, "std_msgs/msg/String"))
    bag = RecordedBag(tmp_path / "bag")
    with pytest.raises(ValueError, match="wanted a message type that is installed"):
        BagPlayer(node, bag)
    bag.close()


def test_stop_ends_at_once(node, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag", count=500))
    player, stop = BagPlayer(node, bag), Event()
    Thread(target=lambda: (time.sleep(0.2), stop.set()), daemon=True).start()
    begin = time.monotonic()
    report = player.play(stop)
    bag.close()
    assert report.stopped
    assert time.monotonic() - begin < 0.5 * patience()


def test_waiting_for_listeners_is_bounded_and_names_them(node, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag"))
    player = BagPlayer(node, bag)
    begin = time.monotonic()
    assert player.wait_for_subscribers(["/numbers"], 0.3, Event()) == ["/numbers"]
    assert time.monotonic() - begin < patience()
    bag.close()


def test_the_listener_that_is_waited_for_may_be_named(node, listener, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag"))
    player = BagPlayer(node, bag)
    assert player.wait_for_subscribers([f"/numbers@{listener.node.get_name()}"], 5.0, Event()) == []
    assert player.wait_for_subscribers(["/numbers@somebody"], 0.3, Event()) == ["/numbers@somebody"]
    bag.close()


def test_a_topic_named_twice_waits_for_two_listeners(node, listener, tmp_path):
    bag = RecordedBag(make_bag(tmp_path / "bag"))
    player = BagPlayer(node, bag)
    assert player.wait_for_subscribers(["/numbers"], 5.0, Event()) == []
    assert player.wait_for_subscribers(["/numbers", "/numbers"], 0.3, Event()) == ["/numbers"]
    listener.node.create_subscription(String, "/numbers", lambda message: None, 10)
    assert player.wait_for_subscribers(["/numbers", "/numbers"], 5.0, Event()) == []
    bag.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rate": 0.0}, "rate wanted more than 0, got 0"), ({"start_s": 99.0}, "start_s wanted 0 to")],
)
def test_impossible_options_are_refused(node, tmp_path, options, message):
    bag = RecordedBag(make_bag(tmp_path / "bag"))
    with pytest.raises(ValueError, match=message):
        BagPlayer(node, bag, **options)
    bag.close()


def test_broken_bags_are_refused_with_file_wanted_and_got(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere': wanted a rosbag2 folder, .* found nothing"):
        RecordedBag(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no bag")
    with pytest.raises(ValueError, match=r"notes.txt': wanted .* got '.txt'"):
        RecordedBag(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="metadata"):
        RecordedBag(tmp_path / "empty")
    whole = next(make_bag(tmp_path / "bag").glob("*.mcap")).read_bytes()
    for size in (0, 4, 50):  # no message is whole
        broken = tmp_path / f"broken{size}.mcap"
        broken.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=rf"broken{size}.mcap': wanted"):
            RecordedBag(broken)
    with Writer(tmp_path / "silent", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        store = get_typestore(Stores.ROS2_JAZZY)
        writer.add_connection("/text", "std_msgs/msg/String", typestore=store)
    with pytest.raises(ValueError, match="wanted messages, found none"):
        RecordedBag(tmp_path / "silent")


def run_node(*words: str) -> subprocess.Popen:
    code = "from hearing_hands_ros.nodes.bag_player import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "--ros-args", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_node_plays_and_ends(ros, tmp_path):
    make_bag(tmp_path / "bag")
    config = Path(__file__).parents[2] / "config" / "bag_player.yaml"
    process = run_node(
        "--params-file", str(config), "-p", f"bag:={tmp_path / 'bag'}", "-p", "rate:=5.0", "-p", "tail_s:=0.0", "-p",
        "wait_subscribers_s:=0.2", "-p", "wait_topics:=['/numbers']",
    )  # fmt: skip
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert "too few listen to /numbers" in out + err
    assert "played 101 messages on 3 topics" in out + err


def test_the_node_says_in_the_diagnostics_what_it_does(node, tmp_path):
    make_bag(tmp_path / "bag", count=300)
    said = []
    node.create_subscription(DiagnosticArray, "/diagnostics", lambda message: said.extend(message.status), 10)
    process = run_node("-p", f"bag:={tmp_path / 'bag'}", "-p", "wait_subscribers_s:=1.5", "-p", "tail_s:=2.0")
    executor = rclpy.executors.SingleThreadedExecutor()
    executor.add_node(node)
    while process.poll() is None:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert {status.name for status in said} == {"bag_player: status"}
    messages = [(status.level, status.message) for status in said]
    assert (DiagnosticStatus.WARN, "waiting for listeners") in messages
    assert messages[-1] == (DiagnosticStatus.OK, "playing")
    assert {value.key: value.value for value in said[-1].values}["published"] == "601"


def test_the_node_refuses_a_missing_bag_with_exit_code_2(ros, tmp_path):
    process = run_node("-p", f"bag:={tmp_path / 'nowhere'}")
    out, err = process.communicate()
    assert process.returncode == 2, out + err
    assert "nowhere': wanted a rosbag2 folder" in out + err
    assert "Traceback" not in out + err


def test_the_node_ends_on_sigint(listener, tmp_path):
    make_bag(tmp_path / "bag", count=3000)
    process = run_node("-p", f"bag:={tmp_path / 'bag'}", "-p", "wait_subscribers_s:=0.0")
    while not listener.heard["/numbers"] and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(2)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert "Traceback" not in out + err
