"""`hearing-hands doctor`: what it finds, what it says to do about it, and its exit code."""

import builtins
import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hearing_hands_ros.cli import doctor
from hearing_hands_ros.cli import main as cli
from hearing_hands_ros.graph import NODES

FINE = doctor.Finding("x", doctor.OK, "fine")
CHECKS = ("python", "ros", "rmw", "messages", "tf", "gpu", "audio")


@pytest.fixture
def healthy(monkeypatch):
    """All checks find everything in order, except those that a test puts back."""
    for name in CHECKS:
        monkeypatch.setattr(doctor, f"check_{name}", lambda: FINE)
    for name in ("model", "scene"):
        monkeypatch.setattr(doctor, f"check_{name}", lambda *folders: FINE)
    return monkeypatch


def hide(monkeypatch, *names: str, error: type[Exception] = ImportError) -> None:
    """Make modules impossible to import."""
    real_import, real_module = builtins.__import__, importlib.import_module

    def refuse(name: str) -> None:
        if name.split(".")[0] in names or name in names:
            raise error(f"no {name} here")

    def import_module(name, package=None):
        refuse(name)
        return real_module(name, package)

    def import_(name, *args, **kwargs):
        refuse(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.setattr(builtins, "__import__", import_)


def test_this_environment_can_run_the_package():
    for check in (doctor.check_python, doctor.check_ros, doctor.check_rmw, doctor.check_messages, doctor.check_tf):
        finding = check()
        assert finding.level == doctor.OK, finding
        assert not finding.fix
    assert doctor.check_model("").level == doctor.OK


def test_the_real_command_prints_json(environment):
    done = subprocess.run(
        [sys.executable, "-m", "hearing_hands_ros.cli.main", "doctor", "--json"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    names = [check["name"] for check in found["checks"]]
    assert names == ["Python", "ROS", "RMW", "messages", "TF", "GPU", "audio", "model", "scene"]
    failed = any(check["level"] == doctor.FAIL for check in found["checks"])
    assert done.returncode == int(failed)
    assert found["ok"] is not failed
    for check in found["checks"]:
        assert bool(check["fix"]) == (check["level"] != doctor.OK), check
        assert "\n" not in check["fix"]


@pytest.mark.parametrize(("level", "code"), [(doctor.OK, 0), (doctor.WARN, 0), (doctor.FAIL, 1)])
def test_only_a_failure_is_an_exit_code(healthy, capsys, level, code):
    finding = doctor.Finding("audio", level, "a [red] thing", "mend it" if level != doctor.OK else "")
    healthy.setattr(doctor, "check_audio", lambda: finding)
    assert cli.main(["doctor"]) == code
    out = capsys.readouterr().out
    assert level in out
    assert "a [red] thing" in out
    assert ("fix: mend it" in out) == (level != doctor.OK)


def test_a_check_that_breaks_is_a_finding(healthy, capsys):
    def broken():
        raise RuntimeError("boom")

    healthy.setattr(doctor, "check_gpu", broken)
    assert cli.main(["doctor"]) == 1
    assert "RuntimeError: boom" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("hidden", "check", "level", "words"),
    [
        ("rclpy", doctor.check_ros, doctor.FAIL, "ros-rclpy"),
        ("hearing_hands_ros.msg", doctor.check_messages, doctor.FAIL, "pip install hearing_hands_ros"),
        ("hearing_hands_ros.ros.tf2", doctor.check_tf, doctor.FAIL, "tf2-ros"),
        ("sounddevice", doctor.check_audio, doctor.WARN, "pip install sounddevice"),
    ],
)
def test_what_is_missing_comes_with_how_to_get_it(monkeypatch, hidden, check, level, words):
    hide(monkeypatch, hidden)
    finding = check()
    assert finding.level == level
    assert words in finding.fix


def test_missing_portaudio_is_named(monkeypatch):
    hide(monkeypatch, "sounddevice", error=OSError)
    assert "libportaudio2" in doctor.check_audio().fix


def test_an_unknown_middleware_is_named(monkeypatch):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_no_such_cpp")
    finding = doctor.check_rmw()
    assert finding.level == doctor.FAIL
    assert "unset RMW_IMPLEMENTATION (it is 'rmw_no_such_cpp')" in finding.fix


def test_a_gpu_without_torch_is_a_warning(monkeypatch):
    hide(monkeypatch, "torch")
    monkeypatch.setattr(doctor, "gpu_name", lambda: "")
    assert doctor.check_gpu().level == doctor.OK
    monkeypatch.setattr(doctor, "gpu_name", lambda: "Some GPU")
    assert doctor.check_gpu().level == doctor.WARN


def test_an_old_python_is_a_failure(monkeypatch):
    version = type("Version", (tuple,), {"major": 3, "minor": 9, "micro": 1})((3, 9, 1))
    monkeypatch.setattr(sys, "version_info", version)
    assert doctor.check_python().level == doctor.FAIL


@pytest.mark.parametrize("option", ["model", "scene"])
def test_a_missing_folder_is_a_failure_that_names_it(tmp_path, option):
    finding = getattr(doctor, f"check_{option}")(str(tmp_path / "nowhere"))
    assert finding.level == doctor.FAIL
    assert "nowhere" in finding.message
    assert f"--{option}" in finding.fix


def test_every_parameter_of_every_node_is_printed(capsys):
    classes = doctor.parameter_classes()
    assert set(NODES) <= set(classes)
    cli.main(["doctor", "--parameters", "--json"])
    printed = json.loads(capsys.readouterr().out)
    for node, kind in classes.items():
        if isinstance(kind, Exception):
            continue
        assert [row["name"] for row in printed[node]] == [item.name for item in dataclasses.fields(kind)]
        assert all(row["description"] for row in printed[node]) or node.startswith("sequence")


def test_it_needs_no_ros_to_start():
    """Where ROS is missing, doctor is what is asked."""
    code = "import sys; import hearing_hands_ros.cli.doctor, hearing_hands_ros.cli.up; print('rclpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "False"
