"""Replays a recording through the running graph in real time, and leaves its results in a folder.

The nodes are those of `hearing-hands up --bag`, in processes of their own.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.graph import REPLAY_ARGUMENTS, Options, argument_field, text_of
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.registry import load_predictor
from hearing_hands_ros.replay.facts import Task, run_before
from hearing_hands_ros.replay.labels import Labels, read_labels
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.replay.result import LIVE, Run
from hearing_hands_ros.replay.settings import ReplaySettings
from hearing_hands_ros.replay.writer import ResultWriter
from hearing_hands_ros.scene.bundle import SceneBundle

LOG = "graph.log"
START_WAIT_S = 60.0
OVERTIME_S = 60.0
STOP_WAIT_S = 15.0
TURN_S = 0.2
INTERRUPTED = "interrupted"


def replay_live(task: Task, options: Options, settings: ReplaySettings, tell: Callable[[float], object]) -> Run:
    """Play a recording to the graph and write its results.

    Args:
        task: What, and where to; what the nodes print goes there, too.
        options: Of the graph, the microphone's topic among them.
        settings: What these come to.
        tell: Told the share of the recording that was played.

    Raises:
        ImportError: There is no ROS.
        FileNotFoundError: The labels are not there.
        ValueError: The recording or the labels cannot be used, or the graph did not run through.
        OSError: The results cannot be written.
    """
    from hearing_hands_ros.ros.replay_listener import ReplayListener  # where there is no ROS the rest still runs

    # Loaded here, too: what is wrong is said at once, and looks that are to be baked are there before the nodes start.
    predictor = load_predictor(settings.model, settings.device, settings.scene, settings.views)
    bag = RecordedBag(task.bag)
    begin_ns, seconds = bag.start_ns, (bag.end_ns - bag.start_ns) / NANOSECONDS
    bag.close()
    labels = Labels() if task.labels is None else read_labels(task.labels, begin_ns)
    writer = ResultWriter(task.out, labels, settings.comparator.microphone_lag_s)
    scene = SceneBundle.load(Path(settings.scene).expanduser())
    path = Path(settings.calibration).expanduser() if settings.calibration else None
    calibration = ConformalCalibration.load(path) if path else None
    run, ended = run_before(task, LIVE, settings, predictor, scene, calibration), INTERRUPTED
    listener = ReplayListener(writer)
    begun_s, played_s, shown_ns = time.monotonic(), time.monotonic(), 0
    try:
        command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "up", *arguments_of(options, task)]

        def show() -> None:
            nonlocal begun_s, played_s, shown_ns
            if listener.now_ns <= begin_ns:  # the clock stands until all listen
                begun_s = time.monotonic()
            if listener.now_ns != shown_ns:
                played_s, shown_ns = time.monotonic(), listener.now_ns
            tell(min(1.0, max(0.0, (listener.now_ns - begin_ns) / NANOSECONDS / max(seconds, 1e-9))))

        ended = _play(command, task, seconds, show)
    finally:
        listener.close()
        played_ns = max(begin_ns, listener.now_ns)
        run = writer.finish(
            replace(
                run,
                ended=ended,
                begin_ns=begin_ns,
                seconds=seconds,
                replayed_s=min(seconds, (played_ns - begin_ns) / NANOSECONDS),
                wall_s=played_s - begun_s,
                counts=dict(listener.counts),
                notes=tuple(f"{name}: {text}" for name, text in sorted(listener.warnings.items())),
                missed=labels.missed(begin_ns, played_ns),
            )
        )
    if ended:
        raise ValueError(f"bag '{task.bag}': wanted the graph to run through, but {ended}; see '{task.out / LOG}'")
    return run


def arguments_of(options: Options, task: Task) -> list[str]:
    """Arguments of `hearing-hands up` that play a recording with these options."""
    words = ["--bag", str(task.bag)]
    for name in REPLAY_ARGUMENTS:
        value = getattr(options, name)
        if name != "bag" and value != argument_field(name).default:
            words += [f"--{name.replace('_', '-')}", text_of(value)]
    return words


def _play(command: Sequence[str], task: Task, seconds: float, show: Callable[[], object]) -> str:
    """Run the graph until the player has ended; why it did not, or nothing."""
    with (task.out / LOG).open("w", encoding="utf-8") as log:
        graph = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            deadline_s = time.monotonic() + START_WAIT_S + seconds + OVERTIME_S
            while graph.poll() is None:
                if time.monotonic() > deadline_s:
                    return f"it took longer than {seconds + START_WAIT_S + OVERTIME_S:.0f} s"
                show()
                time.sleep(TURN_S)
        finally:
            if graph.poll() is None:
                graph.send_signal(signal.SIGINT)
                try:
                    graph.wait(STOP_WAIT_S)
                except subprocess.TimeoutExpired:
                    graph.kill()
                    graph.wait()
    return f"it ended with code {graph.returncode}" if graph.returncode else ""
