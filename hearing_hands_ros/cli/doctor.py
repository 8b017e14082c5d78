"""`hearing-hands doctor`: is everything here that is needed, and if not, how to get it."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table

from hearing_hands_ros.graph import DEMO_SCENE, MODEL, NODES, PACKAGE, share_directory
from hearing_hands_ros.sequence import SequenceConfig

OK, WARN, FAIL = "OK", "WARN", "FAIL"
STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}
PYTHONS = ((3, 10), (3, 13))
DISTROS = ("jazzy", "kilted")
INSTALL = "pip install hearing_hands_ros, or build the workspace with colcon and source install/setup.bash"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was checked.
        level: OK, WARN (works with less) or FAIL.
        message: What is there.
        fix: One line that says how to mend it; empty when OK.
    """

    name: str
    level: str
    message: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    parser.add_argument("--model", default="", help="Folder of the sound bank or checkpoint; default: the demo's.")
    parser.add_argument("--scene", default="", help="Folder of the scene; default: the demo's.")
    parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
    parser.add_argument("--parameters", action="store_true", help="Print every parameter of every node instead.")


def run(args: argparse.Namespace) -> int:
    """Check and print; return 1 if anything failed, else 0."""
    console = Console()
    if args.parameters:
        return _run_parameters(args.json, console)
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("Python", check_python),
        ("ROS", check_ros),
        ("RMW", check_rmw),
        ("messages", check_messages),
        ("TF", check_tf),
        ("GPU", check_gpu),
        ("audio", check_audio),
        ("model", lambda: check_model(args.model, args.scene)),
        ("scene", lambda: check_scene(args.scene)),
    ]
    findings = []
    with Status("checking", console=Console(stderr=True)) as status:
        for name, check in checks:
            status.update(f"checking {name}")
            findings.append(guarded(name, check))
    failed = any(finding.level == FAIL for finding in findings)
    if args.json:
        print(json.dumps({"ok": not failed, "checks": [dataclasses.asdict(f) for f in findings]}, indent=2))
    else:
        _print_table(findings, console)
    return int(failed)


def guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """Run one check; whatever it raises is a finding, not an end."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001  (a doctor must not die of the illness)
        return Finding(name, FAIL, f"{type(error).__name__}: {error}", "please report this: the check itself failed")


def check_python() -> Finding:
    """A Python that the ROS packages exist for."""
    version = sys.version_info
    text = f"{version.major}.{version.minor}.{version.micro} ({sys.executable})"
    if PYTHONS[0] <= version[:2] <= PYTHONS[1]:
        return Finding("Python", OK, text)
    return Finding("Python", FAIL, text, "use Python 3.10 to 3.13: the ROS packages exist for no other")


def check_ros() -> Finding:
    """A sourced ROS 2 distribution, or the wheels."""
    try:
        rclpy = importlib.import_module("rclpy")
    except Exception as error:  # noqa: BLE001  (a broken binary raises what it likes)
        return Finding(
            "ROS", FAIL, f"rclpy does not import: {error}",
            "source /opt/ros/jazzy/setup.bash, or pip install ros-rclpy ros-rmw-fastrtps-cpp",
        )  # fmt: skip
    module_file = Path(str(rclpy.__file__))
    if in_wheels(module_file):
        return Finding("ROS", OK, f"ROS 2 from PyPI wheels, rclpy {version_of('ros-rclpy', 'rclpy')}")
    distro = os.environ.get("ROS_DISTRO", "")
    if distro in DISTROS:
        return Finding("ROS", OK, f"ROS 2 {distro} ({module_file.parent})")
    return Finding(
        "ROS", WARN, f"ROS 2 {distro or 'of unknown distribution'} ({module_file.parent})",
        f"use one that is tested: {', '.join(DISTROS)}",
    )  # fmt: skip


def in_wheels(module_file: Path) -> bool:
    """Tell whether a ROS module lies in this Python's environment, not in a sourced distribution."""
    return Path(sys.prefix).resolve() in module_file.resolve().parents and not os.environ.get("ROS_DISTRO")


def version_of(*distributions: str) -> str:
    """Return the version of the first distribution that is installed."""
    installed = {item.metadata["Name"]: item.version for item in metadata.distributions()}
    return next((installed[name] for name in distributions if name in installed), "of unknown version")


def check_rmw() -> Finding:
    """A middleware that loads; asked in a process of its own, as a broken one can end the process."""
    wanted = os.environ.get("RMW_IMPLEMENTATION", "")
    code = "import rclpy; rclpy.init(); print(rclpy.get_rmw_implementation_identifier()); rclpy.shutdown()"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return Finding(
            "RMW", FAIL, "rclpy.init() does not return within 30 s", "unset ROS_DOMAIN_ID, RMW_IMPLEMENTATION"
        )
    if done.returncode == 0:
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        return Finding("RMW", OK, f"{done.stdout.split()[-1]}, domain {domain}")
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    fix = f"unset RMW_IMPLEMENTATION (it is '{wanted}')" if wanted else "pip install ros-rmw-fastrtps-cpp"
    return Finding("RMW", FAIL, last, fix)


def check_messages() -> Finding:
    """Our interfaces, with their type support."""
    try:
        for kind, name in (("msg", "SoundPrediction"), ("srv", "Calibrate"), ("action", "PredictSound")):
            getattr(importlib.import_module(f"{PACKAGE}.{kind}"), name)
        importlib.import_module(f"{PACKAGE}.msg").SoundPrediction.__class__.__import_type_support__()
    except Exception as error:  # noqa: BLE001  (generated code raises what it likes)
        return Finding("messages", FAIL, f"{PACKAGE}'s interfaces do not import: {error}", INSTALL)
    return Finding("messages", OK, f"{PACKAGE} {version_of(PACKAGE)}: interfaces import with their type support")


def check_tf() -> Finding:
    """tf2_ros, or what stands in for it."""
    try:
        tf2 = importlib.import_module(f"{PACKAGE}.ros.tf2")
    except Exception as error:  # noqa: BLE001
        return Finding(
            "TF", FAIL, f"no transform buffer: {error}", "sudo apt install ros-$ROS_DISTRO-tf2-ros, or " + INSTALL
        )
    return Finding(
        "TF", OK, "tf2_ros of ROS" if tf2.IS_REAL_TF2 else "the package's own buffer (tf2_ros is not installed)"
    )


def check_gpu() -> Finding:
    """A GPU that torch can use; without, all runs on the processor."""
    name = gpu_name()
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        if not name:
            return Finding("GPU", OK, "none; device 'auto' computes on the processor")
        return Finding("GPU", WARN, f"{name}, but no torch", "pip install torch, to compute on it")
    if torch.cuda.is_available():
        return Finding("GPU", OK, f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}")
    if name:
        return Finding(
            "GPU", WARN, f"{name}, but torch {torch.__version__} cannot use it",
            "pip install torch with CUDA (see pytorch.org), and check that nvidia-smi works",
        )  # fmt: skip
    return Finding("GPU", OK, f"none; torch {torch.__version__} computes on the processor")


def gpu_name() -> str:
    """Return what nvidia-smi calls the first GPU; empty if there is none."""
    program = shutil.which("nvidia-smi")
    if not program:
        return ""
    try:
        words = [program, "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.strip().splitlines() or [""])[0] if done.returncode == 0 else ""


def check_audio() -> Finding:
    """A sound card to listen to; files and topics need none."""
    elsewhere = "or listen to a file or topic: --microphone path or --microphone topic:/name"
    try:
        sounddevice = importlib.import_module("sounddevice")
    except ImportError:
        return Finding("audio", WARN, "no Python package sounddevice", f"pip install sounddevice, {elsewhere}")
    except OSError as error:
        return Finding("audio", WARN, f"no PortAudio: {error}", f"sudo apt install libportaudio2, {elsewhere}")
    try:
        inputs = [device["name"] for device in sounddevice.query_devices() if device["max_input_channels"] > 0]
    except sounddevice.PortAudioError as error:
        return Finding("audio", WARN, f"PortAudio: {error}", f"check the sound card with `arecord -l`, {elsewhere}")
    if not inputs:
        return Finding("audio", WARN, "no input device", f"connect a microphone, {elsewhere}")
    more = f" and {len(inputs) - 3} more" if len(inputs) > 3 else ""
    return Finding("audio", OK, f"{len(inputs)} input(s): {', '.join(inputs[:3])}{more}")


def check_model(folder: str, scene: str = "") -> Finding:
    """A bank or checkpoint that loads whole, and sees the scene."""
    path = Path(folder).expanduser() if folder else share_directory() / MODEL
    try:
        load = importlib.import_module(f"{PACKAGE}.predictors.registry").load_predictor
        predictor = load(path, scene=scene or share_directory() / DEMO_SCENE)
    except (ValueError, OSError, ImportError) as error:
        return Finding("model", FAIL, str(error), f"give one with --model; ours comes with {PACKAGE}: {INSTALL}")
    return Finding("model", OK, f"'{path}': predictor '{predictor.name}', model '{predictor.model}'")


def check_scene(folder: str) -> Finding:
    """A scene that loads whole."""
    path = Path(folder).expanduser() if folder else share_directory() / DEMO_SCENE
    try:
        scene = importlib.import_module(f"{PACKAGE}.scene.bundle").SceneBundle.load(path)
    except (ValueError, OSError, ImportError) as error:
        return Finding("scene", FAIL, str(error), f"give one with --scene; the demo's comes with {PACKAGE}: {INSTALL}")
    return Finding("scene", OK, f"'{path}': {len(scene.means_m):,} splats")


def _print_table(findings: list[Finding], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("", "check", "found"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(f"[{STYLES[finding.level]}]{finding.level}[/]", finding.name, _plain(finding.message))
        if finding.fix:
            table.add_row("", "", f"[bold]fix:[/] {_plain(finding.fix)}")
    console.print(table)


def _plain(text: str) -> str:
    """Keep rich from reading brackets as markup."""
    return text.replace("[", "\\[")


def parameter_classes() -> dict[str, Any]:
    """Return the configuration dataclass of each node that imports, and of the sound's rates and lengths.

    Where a node does not import, the error stands in the place of its class.
    """
    found: dict[str, Any] = {"sequence (constants)": SequenceConfig}
    for node in NODES:
        try:
            module = importlib.import_module(f"{PACKAGE}.nodes.{node}")
        except Exception as error:  # noqa: BLE001  (what a missing dependency raises is not ours to choose)
            found[node] = error
            continue
        found[node] = next(
            kind
            for kind in vars(module).values()
            if dataclasses.is_dataclass(kind) and str(getattr(kind, "__name__", "")).endswith("Parameters")
            and kind.__module__ == module.__name__
        )  # fmt: skip
    return found


def parameters_of(kind: Any) -> list[dict[str, Any]]:
    """Return name, default, range and description of each field of a configuration dataclass."""
    rows = []
    for item in dataclasses.fields(kind):
        default = item.default if item.default is not dataclasses.MISSING else item.default_factory()  # type: ignore[misc,operator]
        data = item.metadata
        low, high, choices = data.get("low"), data.get("high"), data.get("choices")
        span = " | ".join(map(repr, choices)) if choices else f"{low:g} to {high:g}" if low is not None else ""
        rows.append({"name": item.name, "default": default, "range": span, "description": data.get("description", "")})
    return rows


def _run_parameters(as_json: bool, console: Console) -> int:
    classes = parameter_classes()
    broken = {node: kind for node, kind in classes.items() if isinstance(kind, Exception)}
    tables = {node: parameters_of(kind) for node, kind in classes.items() if node not in broken}
    if as_json:
        print(json.dumps(tables, indent=2))
    else:
        for node, rows in tables.items():
            table = Table(title=node, title_justify="left", title_style="bold", box=None, pad_edge=False)
            for column in ("name", "default", "range", "description"):
                table.add_column(column, overflow="fold")
            for row in rows:
                table.add_row(
                    row["name"], _plain(repr(row["default"])), _plain(row["range"]), _plain(row["description"])
                )
            console.print(table, "")
    for node, error in broken.items():
        print(f"{node}: does not import: {error}", file=sys.stderr)
    return int(bool(broken))
