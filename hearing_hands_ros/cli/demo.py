"""`hearing-hands demo`: the recorded hand goes through the live graph in real time, and a report is written."""

from __future__ import annotations

import argparse
import math
import os
import platform
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hearing_hands_ros import __version__
from hearing_hands_ros.demo.evaluate import Evaluation, TrueEvent, evaluate
from hearing_hands_ros.demo.recording import Recording
from hearing_hands_ros.demo.report import ReportText, write_report
from hearing_hands_ros.demo.touch_views import touch_views
from hearing_hands_ros.graph import share_directory

START_WAIT_S = 60.0
OVERTIME_S = 60.0
STOP_WAIT_S = 15.0
ORIGIN = (
    "Heard and predicted sounds are recordings of real impacts: copyright Wildfire Games (0 A.D.), CC BY-SA 3.0. "
    "The predictor's bank and the heard sounds are disjoint sets of recordings; copies under other names were looked "
    "for and kept on one side.",
    "The heard track is laid together from such recordings and simulated room noise; the anomalies were put in on "
    "purpose. It is under CC BY-SA 3.0 too.",
    "The hand's motion and the scene are simulated. The transforms, the sound and the verdicts went through the "
    "running ROS graph in real time.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's arguments."""
    parser.add_argument("--out", type=Path, default=Path("out"), help="Folder for the report; default: out.")


def run(args: argparse.Namespace) -> int:
    """Play, listen, evaluate, write; 0 if the run was complete.

    Raises:
        FileNotFoundError: The demo's files are missing.
    """
    console = Console(highlight=False)
    share = share_directory() / "demo"
    truth = read_truth(share / "truth.yaml")
    out = args.out.expanduser()
    out.mkdir(parents=True, exist_ok=True)
    # A domain of its own, on this machine only: the demo's transforms must not reach a robot nearby.
    os.environ["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 100))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    begun = time.monotonic()
    recording, code = play(console, out / "graph.log", truth.seconds, truth.start_ns)
    wall_s = time.monotonic() - begun
    if code != 0 or not recording.verdicts:
        console.print(f"[bold red]the graph did not run through[/] (code {code}); its log is in {out / 'graph.log'}")
        return 1
    evaluation = evaluate(recording.verdicts, truth.events)
    figures = figures_of(recording, evaluation, truth, wall_s)
    with console.status("rendering the touches"):
        views = touch_views(recording, share / "scene")
    write_report(out, recording, evaluation, report_text(figures), figures, views)
    summarise(console, recording, evaluation, figures, out)
    return 0


@dataclass(frozen=True)
class Truth:
    """What the demo's recording is known to hold."""

    start_ns: int
    seconds: float
    events: tuple[TrueEvent, ...]


def read_truth(path: Path) -> Truth:
    """Read the demo's truth.yaml.

    Raises:
        FileNotFoundError: The file is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"wanted the demo's '{path}', found none")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    events = [
        TrueEvent(int(item["start_ns"]), item["anomaly"], item["heard_material"] or "nothing")
        for item in (*document["touches"], *document["extra_sounds"])
    ]
    return Truth(int(document["start_ns"]), float(document["duration_s"]), tuple(events))


def play(console: Console, log: Path, seconds: float, start_ns: int) -> tuple[Recording, int]:
    """Run the graph of `hearing-hands up --demo` and record what it publishes until the player is through."""
    from hearing_hands_ros.ros.run_recorder import RunRecorder

    recorder = RunRecorder(until_ns=start_ns + int(seconds * 1e9))
    with log.open("w", encoding="utf-8") as stream:
        graph = subprocess.Popen(
            [sys.executable, "-m", "hearing_hands_ros.cli.main", "up", "--demo"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _watch(console, graph, recorder, seconds, start_ns)
        finally:
            if graph.poll() is None:
                graph.send_signal(signal.SIGINT)
                try:
                    graph.wait(STOP_WAIT_S)
                except subprocess.TimeoutExpired:
                    graph.kill()
                    graph.wait()
    return recorder.close(), graph.returncode


def _watch(console: Console, graph: subprocess.Popen[bytes], recorder: object, seconds: float, start_ns: int) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} s"))
    with Progress(*columns, TextColumn("{task.fields[news]}"), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("starting the graph", total=seconds, news="")
        deadline = time.monotonic() + START_WAIT_S + seconds + OVERTIME_S
        while graph.poll() is None and time.monotonic() < deadline:
            now_ns = recorder.now_ns  # type: ignore[attr-defined]
            if now_ns:
                verdicts = recorder.recording.verdicts  # type: ignore[attr-defined]
                odd = sum(verdict.verdict not in ("NORMAL", "UNKNOWN") for verdict in verdicts)
                bar.update(
                    task,
                    description="playing in real time",
                    completed=min(max((now_ns - start_ns) / 1e9, 0.0), seconds),
                    news=f"{len(verdicts)} verdicts, {odd} anomalies",
                )
            time.sleep(0.2)


def figures_of(recording: Recording, evaluation: Evaluation, truth: Truth, wall_s: float) -> dict[str, float]:
    """Every number of the run that the report and the summary show."""
    predicted = recording.prediction_latency_s or [float("nan")]
    judged = [verdict.latency_s for verdict in recording.verdicts if verdict.contact_id] or [float("nan")]
    tracker = "hand_tracker: status"
    values = recording.diagnostics.get(tracker, (0, "", {}))[2]
    windows = float(recording.afterwards.get(tracker, (0, "", {}))[2].get("windows", "nan"))
    return {
        "recording_s": truth.seconds,
        "wall_s": wall_s,
        "touches_true": float(sum(event.anomaly != "extra_sound" for event in truth.events)),
        "touches_found": float(len(recording.contacts)),
        "predictions": float(len(recording.predictions)),
        "verdicts": float(len(recording.verdicts)),
        "anomalies": float(evaluation.anomalies),
        "anomalies_found": float(evaluation.count("found")),
        "anomalies_of_right_kind": float(evaluation.right_kind),
        "false_alarms": float(evaluation.count("false-alarm")),
        "unknown": float(evaluation.count("unknown")),
        "precision": evaluation.precision,
        "recall": evaluation.recall,
        "prediction_latency_p50_s": float(np.percentile(predicted, 50)),
        "prediction_latency_p95_s": float(np.percentile(predicted, 95)),
        "verdict_latency_p50_s": float(np.percentile(judged, 50)),
        "verdict_latency_p95_s": float(np.percentile(judged, 95)),
        "windows_published": windows,
        # The tracker's last count may be older than the last window. NaN stays NaN: what was not measured is not 0.
        "windows_missed": windows - min(recording.windows, windows),
        "late_frames": float(values.get("late_frames", "nan")),
        "invalid_frames": float(values.get("invalid_frames", "nan")),
    }


def count_text(figure: float) -> str:
    """Return a count as it is shown; NaN was not measured."""
    return "unknown" if math.isnan(figure) else f"{figure:.0f}"


def report_text(figures: dict[str, float]) -> ReportText:
    """Words of the page."""

    def latency(name: str) -> str:
        p50, p95 = (1e3 * figures[f"{name}_latency_{p}_s"] for p in ("p50", "p95"))
        return f"{p50:.0f} / {p95:.0f} ms after the touch's end"

    def counts(*names: str) -> str:
        return " / ".join(count_text(figures[name]) for name in names)

    python = f"Python {platform.python_version()}"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, {python}"
    return ReportText(
        title="hearing_hands_ros: predicted and heard touches",
        lead=(
            f"{figures['recording_s']:.0f} s of a simulated hand over a simulated workbench, played into the live ROS "
            "graph in real time. Each touch's sound was predicted from motion and scene alone, then compared with what "
            "the microphone topic carried: recorded impacts, with anomalies put in on purpose."
        ),
        origin=ORIGIN,
        facts=(
            ("package", f"hearing_hands_ros {__version__}"),
            ("date", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
            ("machine", machine),
            ("command", "hearing-hands demo"),
            ("predicted with", "example-based predictor, bank of recorded impacts"),
            ("touches made / found", f"{figures['touches_true']:.0f} / {figures['touches_found']:.0f}"),
            ("anomalies of the right kind", f"{figures['anomalies_of_right_kind']:.0f} of {figures['anomalies']:.0f}"),
            ("windows published / missed", counts("windows_published", "windows_missed")),
            ("late frames / invalid frames", counts("late_frames", "invalid_frames")),
            ("prediction p50 / p95", latency("prediction")),
            ("verdict p50 / p95", latency("verdict")),
        ),
    )  # fmt: skip


def summarise(
    console: Console, recording: Recording, evaluation: Evaluation, figures: dict[str, float], out: Path
) -> None:
    """Print the summary."""
    table = Table(title="what was put in, and what was said")
    for name in ("put in", "NORMAL", "DIFFERENT", "MISSING", "UNEXPECTED", "UNKNOWN", "no verdict"):
        table.add_column(name, justify="left" if name == "put in" else "right")
    kinds = ("none", "wrong_material", "missing_sound", "extra_sound")
    for kind in (*kinds, None):
        row = [
            outcome.verdict.verdict if outcome.verdict else "no verdict"
            for outcome in evaluation.outcomes
            if (outcome.truth.anomaly if outcome.truth else None) == kind
        ]
        if row or kind is not None:
            label = {"none": "normal touch", None: "nothing"}.get(kind, str(kind).replace("_", " "))
            table.add_row(label, *(str(row.count(str(column.header))) for column in table.columns[1:]))
    console.print(table)
    console.print(
        f"anomalies: recall [bold]{evaluation.recall:.2f}[/], precision [bold]{evaluation.precision:.2f}[/] "
        f"({evaluation.count('found')} of {evaluation.anomalies} found, {evaluation.count('false-alarm')} false alarms)"
    )
    console.print(
        f"touch end to prediction p95 {1e3 * figures['prediction_latency_p95_s']:.0f} ms; "
        f"{count_text(figures['windows_missed'])} of {count_text(figures['windows_published'])} windows missed; "
        f"late frames {count_text(figures['late_frames'])}"
    )
    for name, (level, message, _) in sorted(recording.diagnostics.items()):
        if level:
            console.print(f"{name}: {message}", style="yellow", markup=False)
    console.print("Sounds: recordings (CC BY-SA 3.0). Motion and scene: simulated.")
    console.print(f"report: [bold]{out / 'report.html'}[/]")
