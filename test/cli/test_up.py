"""`hearing-hands up`: same options as the launch files, same nodes, and processes that live and end as promised."""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
from patience import patience
from rich.console import Console

from hearing_hands_ros.cli import main as cli
from hearing_hands_ros.cli import up
from hearing_hands_ros.graph import NodeSpec, Options, predict_graph, share_directory, yaml_of

pytestmark = pytest.mark.live

NODE = """
import pathlib, signal, sys, time
code, deaf, awaits, told = {code}, {deaf}, {awaits!r}, {told!r}
if deaf:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("ready", flush=True)
if told:
    pathlib.Path(told).touch()
while awaits and not pathlib.Path(awaits).exists():
    time.sleep(0.01)
time.sleep({seconds})
sys.exit(code)
"""


class FakeSpec(NodeSpec):
    """A node that is a plain Python program."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.namespace]


def spec(name: str, code=0, seconds=30.0, deaf=False, respawn=False, ends_graph=False, told="", awaits="") -> FakeSpec:
    """A node that writes the file `told` when it is ready, and lasts so long after the file `awaits` is there."""
    program = NODE.format(code=code, seconds=seconds, deaf=deaf, told=str(told), awaits=str(awaits))
    return FakeSpec(name, program, (), respawn, "info", ends_graph)


def supervise(*specs: NodeSpec) -> tuple[int, str, up.Supervisor]:
    console = Console(file=open(os.devnull, "w"), record=True, width=200)  # noqa: SIM115, PTH123
    supervisor = up.Supervisor(specs, console)
    code = supervisor.run()
    return code, console.export_text(), supervisor


def options(*words: str) -> Options:
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    return up.options_of(parser.parse_args(list(words)))


def test_the_options_are_those_of_the_launch_files():
    assert options() == Options()
    given = options(
        "--scene", "s", "--model", "m", "--microphone", "device", "--use-respawn", "--log-level", "debug",
        "--namespace", "n", "--params-file", "p", "--use-sim-time", "--demo", "--no-autostart",
        "--device", "cpu", "--views", "baked", "--rate", "2",
    )  # fmt: skip
    assert given == Options(
        scene="s", model="m", microphone="device", use_respawn=True, log_level="debug", namespace="n", params_file="p",
        use_sim_time=True, demo=True, autostart=False, device="cpu", views="baked", rate=2.0,
    )  # fmt: skip


def test_a_command_line_keeps_the_types_of_parameters():
    assert [yaml_of(v) for v in (True, 2.0, 3, "12", "it's", ["/a", "b"])] == [
        "true", "2.0", "3", "'12'", "'it''s'", "['/a', 'b']",
    ]  # fmt: skip
    command = predict_graph(Options(namespace="left", device="cpu"), share_directory())[2].arguments()
    assert command[:7] == ["--ros-args", "--log-level", "info", "-r", "__node:=sound_generator", "-r", "__ns:=/left"]
    assert command[-6:] == ["-p", "use_sim_time:=false", "-p", "autostart:=true", "-p", "device:='cpu'"]


def test_lines_carry_the_name_of_their_node():
    code, text, _ = supervise(spec("one", seconds=0.2), spec("another", seconds=0.2))
    assert code == 0
    assert "[one]     ready" in text
    assert "[another] ready" in text
    assert "all nodes have ended" in text


def test_a_failed_node_is_the_exit_code_once_all_have_ended():
    code, text, _ = supervise(spec("one", seconds=0.1), spec("another", code=3, seconds=0.1))
    assert code == 1
    assert "another has ended with code 3" in text


def test_the_player_ends_the_graph_with_its_own_code():
    for wanted in (0, 2):
        code, text, supervisor = supervise(spec("node"), spec("player", code=wanted, seconds=0.5, ends_graph=True))
        assert code == wanted, text
        assert "SIGINT to node" in text
        assert all(child.process is None or child.process.poll() is not None for child in supervisor.children)


def test_a_deaf_node_is_killed_at_last(monkeypatch, tmp_path):
    monkeypatch.setattr(up, "STEPS", ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 2.0)))
    player = spec("player", seconds=0.0, ends_graph=True, awaits=tmp_path / "deaf")
    code, text, supervisor = supervise(spec("deaf", deaf=True, told=tmp_path / "deaf"), player)
    assert code == 1
    assert re.findall(r"SIG\w+ to deaf", text) == [
        "SIGINT to deaf", "SIGTERM to deaf", "SIGKILL to deaf",
    ]  # fmt: skip
    assert supervisor.children[0].process.poll() == -signal.SIGKILL


def test_a_killed_node_is_started_again_after_two_seconds():
    console = Console(file=open(os.devnull, "w"), record=True, width=200)  # noqa: SIM115, PTH123
    supervisor = up.Supervisor([spec("node", respawn=True), spec("end", seconds=5.0, ends_graph=True)], console)
    killed: list[float] = []

    def kill() -> None:
        time.sleep(0.5)
        killed.append(time.monotonic())
        supervisor.children[0].process.kill()
        while supervisor.children[0].starts < 2:
            time.sleep(0.02)
        killed.append(time.monotonic())

    Thread(target=kill, daemon=True).start()
    supervisor.run()
    assert 1.4 < killed[1] - killed[0] < 2.6 * patience()
    assert "by SIGKILL; starting it again in 2 s" in console.export_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scene", "/no/such"], "argument 'scene': wanted a folder, found none at '/no/such'"),
        (["--rate", "fast", "--bag", "/"], "argument 'rate': wanted a number, got 'fast'"),
        (["--bag", "/no/such"], "argument 'bag': wanted a rosbag2 folder"),
        (["--bag", "/", "--demo"], "wanted none with 'demo'"),
        (["--rate", "2"], "--rate: wanted --bag with it"),
        (["--start-s", "1", "--demo"], "--start-s: wanted --bag with it"),
        (["--loop", "--microphone", "none"], "--loop: wanted --bag with it"),
        (["--no-graph"], "--no-graph: wanted --bag with it"),
    ],
)
def test_wrong_arguments_end_with_code_2_and_one_line(capsys, words, message):
    assert cli.main(["up", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_options_have_the_names_of_the_launch_arguments(capsys):
    offered = set()
    for command in ("up", "record"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        offered |= set(re.findall(r"--(?:no-)?([a-z-]+)", capsys.readouterr().out))
    in_order = {"topics"}  # words without a name
    assert {name.replace("_", "-") for name in set(Options.names()) - in_order} <= offered


def test_unknown_words_are_refused(capsys):
    for words in (["--loud"], ["--device", "tpu"]):
        with pytest.raises(SystemExit) as end:
            cli.main(["up", *words])
        assert end.value.code == 2
    with pytest.raises(SystemExit) as end:
        cli.main(["fly"])
    assert end.value.code == 2
    assert "doctor" in capsys.readouterr().err


def test_real_nodes_start_respawn_and_stop_on_ctrl_c(environment, tmp_path):
    sound = tmp_path / "tap.wav"
    soundfile.write(sound, np.zeros(16000 * 60, np.float32), 16000)
    words = ["up", "--microphone", str(sound), "--use-respawn", "--namespace", "left"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hearing_hands_ros.cli.main", *words], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path,
    )  # fmt: skip
    lines: list[str] = []
    Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()

    def wait_for(pattern: str, seconds: float = 20.0) -> re.Match:
        begun = time.monotonic()
        while time.monotonic() - begun < seconds * patience():
            if found := re.search(pattern, "".join(lines)):
                return found
            time.sleep(0.05)
        pytest.fail(f"no '{pattern}' in\n{''.join(lines)}")

    try:
        viewer = int(wait_for(r"spectrogram_viewer runs as process (\d+)")[1])
        wait_for(r"\[microphone\] .*left\.microphone")  # a log line of the real node
        time.sleep(1.5 * patience())
        os.kill(viewer, signal.SIGKILL)
        again = int(wait_for(rf"(?s)process {viewer}\n.*spectrogram_viewer runs as process (\d+)")[1])
        assert again != viewer
        time.sleep(1.5 * patience())
        pids = [int(pid) for pid in re.findall(r"runs as process (\d+)", "".join(lines))]
        assert len(set(pids)) >= 6
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15 * patience()) == 0, "".join(lines)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists(), "".join(lines)
    assert "SIGKILL to" not in "".join(lines), "".join(lines)
