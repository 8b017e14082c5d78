"""`colcon build` in a plain workspace, on ROS from wheels; then everything that it installed is used."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import patience
from programs import ROOT, clean_environment, prefix_without_ours

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("colcon_core") is None, reason="colcon is not installed"),
    pytest.mark.live,
]
NOT_TRACKED = (
    ".git",
    ".venv",
    "build",
    "install",
    "log",
    "out",
    "dist",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
)
NODES = (
    "bag_player", "bag_recorder", "hand_tracker", "microphone", "scene_server", "sound_comparator", "sound_generator",
    "spectrogram_viewer",
)  # fmt: skip


class Workspace:
    """A colcon workspace with a copy of this repository in src/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sources = folder / "src" / "hearing_hands_ros"
        shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(*NOT_TRACKED))
        for name in ("launch", "demo", "hearing_hands_ros"):  # as after a first start from the sources
            (sources / name / "__pycache__").mkdir()
            (sources / name / "__pycache__" / "left_over.pyc").touch()
        self.without_tf2_msgs = prefix_without_ours(folder.parent / "ros")

    def colcon(self, prefix: Path, *words: str) -> str:
        environment = clean_environment(prefix, self.folder.parent)
        done = subprocess.run(
            ["colcon", "--log-base", "log", *words],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sourced(self, prefix: Path, install: str) -> dict[str, str]:
        """The environment after `source install/setup.bash`."""
        environment = clean_environment(prefix, self.folder.parent)
        script = (
            f"source {install}/setup.bash && {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
        )
        text = subprocess.check_output(["bash", "-c", script], cwd=self.folder, env=environment, text=True)
        sourced: dict[str, str] = json.loads(text)
        # Python from the wheels marks its children as started; each program here shall start as from a shell.
        kept = ("PATH", "PYTHONPATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH")
        library_path = [
            path for path in sourced.get("LD_LIBRARY_PATH", "").split(os.pathsep) if "/site-packages" not in path
        ]
        return {
            **environment,
            **{name: sourced[name] for name in kept},
            "LD_LIBRARY_PATH": os.pathsep.join(library_path),
        }


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("colcon") / "workspace")
    made.colcon(made.without_tf2_msgs, "build")
    return made


@pytest.fixture(scope="module")
def sourced(workspace) -> dict[str, str]:
    return workspace.sourced(workspace.without_tf2_msgs, "install")


@pytest.fixture(scope="module")
def prefix(workspace) -> Path:
    return workspace.folder / "install" / "hearing_hands_ros"


def parameters(node: str, demo: Path, folder: Path) -> list[str]:
    """What a node needs to become active."""
    given = {
        "bag_player": {"bag": demo / "touches.mcap", "wait_subscribers_s": 0.5},
        "bag_recorder": {"out": folder / "recording"},
        "hand_tracker": {"scene": demo / "scene"},
        "scene_server": {"scene": demo / "scene"},
        "microphone": {"source": "file", "file": demo / "heard.flac"},
        "sound_comparator": {},
        "sound_generator": {"model": demo / "bank"},
        "spectrogram_viewer": {},
    }[node]
    return ["--ros-args", *(word for name, value in given.items() for word in ("-p", f"{name}:={value}"))]


def states(nodes: list[str], domain: int, timeout_s: float = 30.0) -> dict[str, str]:
    """Lifecycle states of running nodes, as soon as all are active or the time is over."""
    import rclpy
    from lifecycle_msgs.srv import GetState

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    found = dict.fromkeys(nodes, "no answer")
    try:
        node = rclpy.create_node("packaging_probe", context=context)
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)
        clients = {name: node.create_client(GetState, f"/{name}/get_state") for name in nodes}
        begun_s = time.monotonic()
        while set(found.values()) != {"active"} and time.monotonic() - begun_s < timeout_s * patience():
            for name, client in clients.items():
                if client.service_is_ready():
                    future = client.call_async(GetState.Request())
                    executor.spin_until_future_complete(future, timeout_sec=2.0)
                    found[name] = future.result().current_state.label if future.done() else "no answer"
            time.sleep(0.1)
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)
    return found


def test_a_workspace_with_this_repository_has_one_package(workspace):
    """What lies deeper (tf2_msgs, the tests' interfaces) would shadow a robot's own packages."""
    assert workspace.colcon(workspace.without_tf2_msgs, "list", "--names-only").split() == ["hearing_hands_ros"]


def test_python_takes_package_and_messages_from_the_workspace(workspace, sourced, prefix):
    code = (
        "import hearing_hands_ros, tf2_msgs.msg\n"
        "from hearing_hands_ros import action, msg, srv\n"
        "msg.SoundPrediction.__class__.__import_type_support__()\n"
        "tf2_msgs.msg.TFMessage.__class__.__import_type_support__()\n"
        "print(hearing_hands_ros.__file__, msg.__file__, tf2_msgs.__file__, sep='\\n')"
    )
    done = subprocess.run(["python", "-c", code], cwd="/", env=sourced, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.split():
        assert Path(line).is_relative_to(prefix), line


def test_the_share_folder_holds_what_launch_and_demo_read(prefix):
    share = prefix / "share" / "hearing_hands_ros"
    for name in ("package.xml", "launch/predict.launch.py", "launch/compare.launch.py", "launch/replay.launch.py"):
        assert (share / name).is_file(), name
    for name in ("action/PredictSound.action", "srv/Calibrate.srv", "msg/Audio.msg", "config/hearing_hands.rviz"):
        assert (share / name).is_file(), name
    assert {path.stem for path in (share / "config").glob("*.yaml")} >= set(NODES)
    source = {path.relative_to(ROOT) for path in (ROOT / "demo").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(share) for path in (share / "demo").rglob("*") if path.is_file()} == source
    assert not list(prefix.rglob("left_over.pyc"))


def test_the_executables_are_the_nodes(prefix):
    """A node without an executable would be found by `hearing-hands up` and not by launch."""
    from hearing_hands_ros import graph

    assert sorted(path.name for path in (prefix / "lib" / "hearing_hands_ros").iterdir()) == sorted(graph.NODES)


def test_every_node_becomes_active_and_ends_with_ctrl_c(sourced, prefix, start, tmp_path):
    share = prefix / "share" / "hearing_hands_ros"
    executables = prefix / "lib" / "hearing_hands_ros"
    given = {node: parameters(node, share / "demo", tmp_path) for node in NODES}
    programs = {node: start([executables / node, *given[node]], sourced) for node in NODES}
    managed = [node for node in NODES if not node.startswith("bag_")]
    assert states(managed, int(sourced["ROS_DOMAIN_ID"])) == dict.fromkeys(managed, "active")
    programs["bag_player"].wait_for("playing")
    codes = {node: program.interrupt() for node, program in programs.items()}
    text = "\n".join(program.text for program in programs.values())
    assert codes == dict.fromkeys(NODES, 0), text
    assert "Traceback" not in text, text


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ("hand_tracker", "hand_tracker: parameter 'scene' wants the folder of a scene bundle"),
        ("sound_generator", "sound_generator: parameter 'model' wants the folder of a model"),
    ],
)
def test_a_node_that_lacks_something_says_so_and_ends_with_ctrl_c(sourced, prefix, start, node, says):
    program = start([prefix / "lib" / "hearing_hands_ros" / node], sourced)
    program.wait_for(says)
    assert program.interrupt() == 0, program.text
    assert "Traceback" not in program.text


def test_the_player_without_a_bag_says_so_and_ends(sourced, prefix, start):
    program = start([prefix / "lib" / "hearing_hands_ros" / "bag_player"], sourced)
    assert program.process.wait(20.0) == 2
    assert "parameter 'bag' wants" in program.text


def test_the_command_is_on_the_path_and_finds_all_it_needs(sourced, prefix):
    assert shutil.which("hearing-hands", path=sourced["PATH"]) == str(prefix / "bin" / "hearing-hands")
    words = ["hearing-hands", "doctor", "--json"]
    done = subprocess.run(words, cwd="/", env=sourced, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["ROS"]["level"] == "OK", checks["ROS"]
    for name in ("model", "scene"):
        assert str(prefix) in checks[name]["message"], checks[name]


def test_a_symlink_install_runs_the_sources_and_leaves_the_tf2_msgs_of_ros_alone(workspace, start):
    """On a ROS that has tf2_msgs, as robots do; the build folder is kept, so that nothing is compiled again."""
    ros = Path(sys.prefix)
    if not (ros / "share/ament_index/resource_index/packages/tf2_msgs").exists():
        pytest.skip("this environment's ROS has no tf2_msgs")
    # ament's copy of the package would stand where it makes a link.
    shutil.rmtree(workspace.folder / "build" / "hearing_hands_ros" / "ament_cmake_python")
    workspace.colcon(ros, "build", "--symlink-install", "--install-base", "linked")
    prefix = workspace.folder / "linked" / "hearing_hands_ros"
    assert not (prefix / "share" / "tf2_msgs").exists()
    (module,) = prefix.glob("lib/python*/site-packages/hearing_hands_ros/nodes/hand_tracker.py")
    source = workspace.folder / "src" / "hearing_hands_ros" / "hearing_hands_ros" / "nodes" / "hand_tracker.py"
    assert module.resolve() == source
    sourced = workspace.sourced(ros, "linked")
    share = prefix / "share" / "hearing_hands_ros"
    executable = prefix / "lib" / "hearing_hands_ros" / "hand_tracker"
    program = start([executable, *parameters("hand_tracker", share / "demo", workspace.folder)], sourced)
    assert states(["hand_tracker"], int(sourced["ROS_DOMAIN_ID"])) == {"hand_tracker": "active"}
    assert program.interrupt() == 0, program.text
    assert subprocess.run(["hearing-hands", "--version"], cwd="/", env=sourced, check=False).returncode == 0
