"""The launch files: what they declare, which command lines they resolve to, and that the processes live as promised."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from patience import patience

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))


def load(name: str):
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    return get_launch_description_from_python_launch_file(str(ROOT / "launch" / name))


def make_service(name: str, dry: bool = True, **arguments: str):
    from launch import LaunchService

    class DryRun(LaunchService):
        """Resolves everything and starts nothing."""

        def spawn(self, coroutine) -> None:
            coroutine.close()

    service = (DryRun if dry else LaunchService)(argv=[f"{key}:={value}" for key, value in arguments.items()])
    service.include_launch_description(load(name))
    return service


def resolve(name: str, **arguments: str) -> dict:
    """Return the nodes that would start, by name."""
    service = make_service(name, **arguments)
    service.visit(load(name))
    return {Path(process.command[0]).name: process for process in service.processes}


def parameters(node) -> dict:
    """Merge the layers as rcl does for these files: a later one wins."""
    merged: dict = {}
    for layer in node.evaluated:
        if isinstance(layer, dict):
            merged.update(layer)
            continue
        for key, value in yaml.safe_load(layer.read_text()).items():
            assert key.split("/")[-1] in (Path(node.command[0]).name, "**"), key
            merged.update(value["ros__parameters"])
    return merged


@pytest.fixture
def scene(tmp_path):
    (tmp_path / "12").mkdir()
    return tmp_path / "12"


@pytest.fixture
def sound(tmp_path):
    soundfile.write(tmp_path / "tap.wav", np.zeros(16000, np.float32), 16000)
    return tmp_path / "tap.wav"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_launch_file_loads_and_documents_every_argument(path, prefix):
    arguments = load(path.name).get_launch_arguments()
    assert arguments
    for argument in arguments:
        assert len(argument.description) > 10, argument.name
        assert argument.description.endswith("."), argument.name
        assert argument.default_value is not None, argument.name


def test_the_arguments_that_everybody_knows_are_there(prefix):
    names = {argument.name for argument in load("predict.launch.py").get_launch_arguments()}
    assert names >= {"namespace", "use_sim_time", "params_file", "scene", "model", "device", "microphone", "autostart"}
    assert names >= {"use_respawn", "log_level", "demo", "views"}


def test_without_arguments_it_predicts_with_the_demos_scene_and_the_compact_generator(prefix):
    nodes = resolve("predict.launch.py")
    share = prefix / "share" / "hearing_hands_ros"
    assert list(nodes) == ["scene_server", "hand_tracker", "sound_generator"]
    assert parameters(nodes["hand_tracker"])["scene"] == str(share / "demo/scene")
    # one of the two says where the scene is
    assert parameters(nodes["scene_server"])["scene"] == str(share / "demo/scene")
    assert parameters(nodes["scene_server"])["publish_scene_transform"] is True
    assert parameters(nodes["hand_tracker"])["publish_scene_transform"] is False
    assert parameters(nodes["sound_generator"])["model"] == str(share / "models/compact")
    assert parameters(nodes["sound_generator"])["use_sim_time"] is False
    for node in nodes.values():
        assert node.command[1:4] == ["--ros-args", "--log-level", "info"]
        assert "__ns:" not in " ".join(node.command)
        assert (node.respawn, node.emulate_tty, node.respawn_delay) == (False, True, 2.0)


def test_arguments_become_typed_parameters(prefix, scene):
    nodes = resolve(
        "predict.launch.py", scene=str(scene), device="cpu", views="baked", namespace="left", use_sim_time="True",
        autostart="false", use_respawn="true", log_level="debug",
    )  # fmt: skip
    generator = nodes["sound_generator"]
    values = parameters(generator)
    assert values["scene"] == str(scene)
    assert (values["device"], values["views"], values["use_sim_time"]) == ("cpu", "baked", True)
    assert values["autostart"] is False
    assert generator.respawn
    assert generator.command[3] == "debug"
    assert "__ns:=/left" in generator.command
    written = yaml.safe_load(Path(generator.command[-1]).read_text())
    assert list(written) == ["/left/sound_generator"]


def test_a_folder_whose_name_is_a_number_stays_a_text(prefix, scene, monkeypatch):
    monkeypatch.chdir(scene.parent)
    assert parameters(resolve("predict.launch.py", scene="12")["hand_tracker"])["scene"] == str(scene)
    nodes = resolve("predict.launch.py", microphone="topic:12")
    assert parameters(nodes["microphone"])["topic"] == "12"


def test_the_params_file_wins_over_defaults_and_loses_to_arguments(prefix, tmp_path, scene):
    mine = tmp_path / "mine.yaml"
    mine.write_text("/**:\n  ros__parameters: {scene: /from/file, model: /from/file, retry_s: 9.0}\n")
    values = parameters(resolve("predict.launch.py", params_file=str(mine))["sound_generator"])
    assert (values["scene"], values["model"], values["retry_s"]) == ("/from/file", "/from/file", 9.0)
    values = parameters(resolve("predict.launch.py", params_file=str(mine), scene=str(scene))["sound_generator"])
    assert (values["scene"], values["model"]) == (str(scene), "/from/file")


@pytest.mark.parametrize("empty", ["", "none"])
def test_no_microphone_means_no_listening_nodes(prefix, empty):
    assert list(resolve("predict.launch.py", microphone=empty)) == ["scene_server", "hand_tracker", "sound_generator"]
    assert resolve("compare.launch.py", microphone=empty) == {}


def test_a_microphone_can_be_a_device_a_topic_or_a_file(prefix, sound):
    names = ["scene_server", "hand_tracker", "sound_generator", "microphone", "sound_comparator", "spectrogram_viewer"]
    for given, wanted in (
        ("device", {"source": "device"}),
        ("topic:/robot/audio", {"source": "topic", "topic": "/robot/audio"}),
        (str(sound), {"source": "file", "file": str(sound)}),
    ):
        nodes = resolve("predict.launch.py", microphone=given)
        assert list(nodes) == names
        assert wanted.items() <= parameters(nodes["microphone"]).items()
        assert list(resolve("compare.launch.py", microphone=given)) == names[3:]


def test_compare_listens_to_the_device_unless_told_otherwise(prefix):
    nodes = resolve("compare.launch.py")
    assert parameters(nodes["microphone"])["source"] == "device"
    assert parameters(nodes["sound_comparator"])["calibration"] == ""


def test_a_calibration_is_taken_where_it_is_given_and_the_demo_has_its_own(prefix, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.touch()
    found = [
        parameters(resolve("predict.launch.py", **given)["sound_comparator"])["calibration"]
        for given in ({"microphone": "device", "calibration": str(mine)}, {"demo": "true"})
    ]
    assert found == [str(mine), str(prefix / "share" / "hearing_hands_ros" / "demo" / "calibration.yaml")]


def test_replay_plays_into_a_graph_in_simulated_time(prefix, tmp_path):
    bag = tmp_path / "bag"
    bag.mkdir()
    nodes = resolve(
        "replay.launch.py", bag=str(bag), rate="2", namespace="left", microphone="topic:/sound", use_respawn="true"
    )
    player = nodes.pop("bag_player")
    values = parameters(player)
    assert (values["bag"], values["rate"], values["loop"]) == (str(bag), 2.0, False)
    assert "use_sim_time" not in values
    assert not player.respawn
    assert player.on_exit is not None
    hands = ["/left/hands@sound_comparator", "/left/hands@sound_generator"]
    wanted = [*hands, "/left/heard/audio", "/left/predicted", "/sound", "/tf"]
    assert sorted(values["wait_topics"]) == wanted
    assert len(nodes) == 6
    assert all(parameters(node)["use_sim_time"] is True and node.respawn for node in nodes.values())
    assert list(resolve("replay.launch.py", bag=str(bag), graph="false")) == ["bag_player"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu"}, "'tpu' is not valid|\"tpu\" is not valid"),
        ({"views": "blind"}, "'blind' is not valid|\"blind\" is not valid"),
        ({"use_sim_time": "maybe"}, "maybe"),
        ({"log_level": "loud"}, "loud"),
        ({"params_file": "/no/such.yaml"}, "argument 'params_file': wanted a file, found none at '/no/such.yaml'"),
        ({"scene": "/no/such"}, "argument 'scene': wanted a folder, found none at '/no/such'"),
        (
            {"microphone": "/no/such.wav"},
            "argument 'microphone': wanted 'device', 'none', 'topic:/name' or a sound file",
        ),
        ({"microphone": "topic:"}, "wanted 'topic:/name'"),
        ({"namespace": "a b"}, "invalid namespace"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_starts(prefix, arguments, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        resolve("predict.launch.py", **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"rate": "0"}, "'rate': wanted more than 0"), ({"rate": "x"}, "number")]
)
def test_wrong_replay_arguments_are_refused(prefix, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        resolve("replay.launch.py", bag=str(tmp_path), **arguments)
    with pytest.raises(ValueError, match="argument 'bag': wanted a rosbag2 folder"):
        resolve("replay.launch.py", bag="/no/such/bag")


async def until(condition, seconds: float = 20.0) -> bool:
    begun = time.monotonic()
    while not condition() and time.monotonic() - begun < seconds * patience():
        await asyncio.sleep(0.05)
    return condition()


def test_a_killed_node_comes_back_and_all_stop_by_pid(prefix, sound):
    service = make_service("compare.launch.py", dry=False, microphone=str(sound), use_respawn="true", namespace="left")

    async def scenario():
        running = asyncio.get_running_loop().create_task(service.run_async(timeout_s=40 * patience()))
        assert await until(lambda: len(service.processes) == 3)
        viewer = next(p for p in service.processes if p.command[0].endswith("spectrogram_viewer"))
        microphone = next(p for p in service.processes if p.command[0].endswith("microphone"))
        # The node says something once it hears its file: then it runs.
        assert await until(lambda: any("microphone" in line for line in microphone.lines)), microphone.lines
        assert await until(lambda: viewer.pid is not None)
        await asyncio.sleep(1.0)
        first, killed_at = viewer.pid, time.monotonic()
        os.kill(first, signal.SIGKILL)
        assert await until(lambda: viewer.starts == 2 and viewer.pid is not None)
        assert 1.0 < time.monotonic() - killed_at < 3.0 * patience()
        assert viewer.pid != first
        await asyncio.sleep(1.5 * patience())
        assert viewer.starts == 2, viewer.lines
        pids = [p.pid for p in service.processes if p.pid]
        service.shutdown("test")
        await running
        return viewer, microphone, pids

    viewer, microphone, pids = asyncio.run(scenario())
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert (viewer.return_code, microphone.return_code) == (0, 0), viewer.lines + microphone.lines
    assert "Traceback" not in "\n".join(viewer.lines + microphone.lines)


DEMO = [ROOT / "demo" / name for name in ("scene", "bank", "touches.mcap")]


@pytest.mark.skipif(not all(path.exists() for path in DEMO), reason="the demo is not complete in this checkout")
def test_the_demo_runs_to_its_end(prefix, tmp_path):
    """The last seconds of it; `hearing-hands demo` is tested with all of it."""
    truth = yaml.safe_load((ROOT / "demo" / "truth.yaml").read_text())
    late = tmp_path / "late.yaml"
    values = {"start_s": truth["duration_s"] - 8.0, "wait_subscribers_s": 60.0 * patience()}
    late.write_text(yaml.safe_dump({"/**/bag_player": {"ros__parameters": values}}))
    service = make_service("predict.launch.py", dry=False, demo="true", params_file=str(late))
    asyncio.run(service.run_async(timeout_s=60 * patience()))
    nodes = {Path(p.command[0]).name: p for p in service.processes}
    text = "\n".join(line for node in nodes.values() for line in node.lines)
    assert service.shutdown_reason == "bag_player has ended", text
    assert len(nodes) == 7
    assert "Traceback" not in text, text
    assert "too few listen" not in text, text
    assert {name: node.return_code for name, node in nodes.items()} == dict.fromkeys(nodes, 0), text
    assert "played" in "\n".join(nodes["bag_player"].lines)


@pytest.mark.skipif(shutil.which("ros2") is None, reason="no ROS installation: ros2 launch is not on PyPI")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_real_launch_shows_the_arguments(path):
    done = subprocess.run(
        ["ros2", "launch", str(path), "--show-args"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "log_level" in done.stdout
