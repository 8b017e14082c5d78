"""`hearing-hands replay`: what the graph would predict and say of recordings, as folders of results and a report."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from rich.console import Console

from hearing_hands_ros.cli.calibrate.recordings import bar_of, check_bags
from hearing_hands_ros.cli.demo import own_domain
from hearing_hands_ros.cli.options import (
    add_jobs,
    add_labels,
    add_params_file,
    add_recordings,
    add_sight,
    check_jobs,
    params_file_of,
    replay_settings,
)
from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.graph import Options, predict_graph, share_directory
from hearing_hands_ros.replay.ahead import Helper, share_processors
from hearing_hands_ros.replay.facts import Task
from hearing_hands_ros.replay.live import replay_live
from hearing_hands_ros.replay.offline import Watching, replay_bag
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.replay.replay import Replay, Replayed
from hearing_hands_ros.replay.result import Run
from hearing_hands_ros.replay.settings import ReplaySettings, settings_of
from hearing_hands_ros.replay.sound import RecordedSound, SoundSettings
from hearing_hands_ros.report import write_report
from hearing_hands_ros.rerun_log.log import RerunLog


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `replay`."""
    add_recordings(parser)
    add_params_file(parser)
    add_labels(parser)
    add_sight(parser)
    add_jobs(parser)
    parser.add_argument("--model", type=Path, help="folder of the model that predicts; default: the one that ships")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="for the results; of several recordings each gets a folder of its name in it",
    )
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="scores of normal touches")
    parser.add_argument("--live", action="store_true", help="through the running ROS graph, in real time")
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="results of other replays, which the report puts beside these",
    )
    parser.add_argument(
        "--rerun", type=Path, metavar="FILE", help="also write what happened as a Rerun recording (.rrd)"
    )


def run(args: argparse.Namespace) -> int:
    """Replay, write, report, and print what came of it.

    Returns:
        1 if one of several recordings could not be used; the report is on the others.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: An argument is wrong, or no recording can be used.
    """
    tasks = tasks_of(args)
    if args.rerun is not None and (args.live or len(tasks) > 1):
        raise ValueError("--rerun: wanted one recording, replayed offline, got several or --live")
    console = make_console()
    if args.live:
        _replay_live(tasks, args, console)
        failed: dict[Path, str] = {}
    elif len(tasks) > 1 and args.jobs > 1:
        failed = _replay_side_by_side(tasks, replay_settings(options_of(args), args.audio_topic), args.jobs, console)
    else:
        failed = _replay_in_turn(
            tasks, replay_settings(options_of(args), args.audio_topic), args.jobs > 1, args.rerun, console
        )
    for error in failed.values():
        line(console, "failed", error)
    done = [task.out for task in tasks if task.bag not in failed]
    if not done:
        raise ValueError("; ".join(failed.values()))
    with console.status("writing the report"):
        write_report([*done, *args.compare], args.out.expanduser())
    line(console, "report", str(args.out / "report.html"))
    return 1 if failed else 0


def tasks_of(args: argparse.Namespace) -> list[Task]:
    """What is to be replayed, and where to.

    Raises:
        ValueError: A recording cannot be opened, two have the same name, or there are not as many labels.
    """
    check_jobs(args.jobs)
    bags, out = check_bags(args.bags), args.out.expanduser()
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out: wanted a folder, got the file '{out}'")
    if len(args.labels) not in (0, 1, len(bags)):
        raise ValueError(
            f"--labels: wanted one file, or one for each of {len(bags)} recordings, got {len(args.labels)}"
        )
    for path in args.labels:
        if not path.expanduser().is_file():
            raise FileNotFoundError(f"--labels: wanted a file, found nothing at '{path}'")
    labels: list[Path | None] = [path.expanduser() for path in args.labels] or [None]
    labels *= len(bags) if len(labels) == 1 else 1
    if len(bags) == 1:
        return [Task(bags[0], out, labels[0])]
    names = [bag.stem for bag in bags]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f"recordings: wanted one of each name, as they name the folders, got two of {', '.join(twice)}"
        )
    return [Task(bag, out / name, known) for bag, name, known in zip(bags, names, labels, strict=True)]


def options_of(args: argparse.Namespace, audio_topic: str = "") -> Options:
    """The same as arguments of the launch files.

    Raises:
        FileNotFoundError: The parameter file is not there.
    """
    return Options(
        scene=str(args.scene),
        model=str(args.model or ""),
        calibration=str(args.calibration or ""),
        params_file=str(params_file_of(args) or ""),
        views=args.views,
        device=args.device,
        microphone=f"topic:{audio_topic}",
    )


def _replay_in_turn(
    tasks: Sequence[Task], settings: ReplaySettings, helped: bool, rerun: Path | None, console: Console
) -> dict[Path, str]:
    """One recording after the other, with a second process that predicts; return why some could not be used."""
    replay, failed = Replay(settings), {}
    if helped:
        share_processors()
    with ExitStack() as stack:
        helper = stack.enter_context(Helper(settings)) if helped else None
        log = None if rerun is None else stack.enter_context(RerunLog(rerun, replay.bundle, settings.alpha))
        verdicts = count(1)
        news = ["no verdict"]

        def take(replayed: Replayed) -> None:
            news[0] = f"{next(verdicts)} verdicts"
            if log is not None:
                log.verdict(replayed)

        teller = stack.enter_context(bar_of("replaying", [task.bag for task in tasks], lambda: news[0]))
        for task in tasks:
            watching = Watching(teller(task.bag), _ignore if log is None else log.moment, take)
            try:
                _tell(console, task, replay_bag(replay, task, watching, helper))
            except ValueError as error:
                failed[task.bag] = f"{error}"
    return failed


def _replay_side_by_side(
    tasks: Sequence[Task], settings: ReplaySettings, jobs: int, console: Console
) -> dict[Path, str]:
    """Each recording in one of several processes; return why some could not be used."""
    failed = {}
    context, processes = multiprocessing.get_context("spawn"), min(jobs, len(tasks))
    with ProcessPoolExecutor(processes, context, _load, (settings, processes)) as pool:
        running = {pool.submit(_replay_one, task): task for task in tasks}
        try:
            for future in as_completed(running):
                try:
                    _tell(console, running[future], future.result())
                except ValueError as error:  # noqa: PERF203
                    failed[running[future].bag] = f"{error}"
        except BrokenProcessPool as error:
            raise ValueError(f"replay: a process ended before its recording did (out of memory?): {error}") from error
        except BaseException:  # Ctrl-C, too: what has not begun does not begin
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def _replay_live(tasks: Sequence[Task], args: argparse.Namespace, console: Console) -> None:
    """One recording after the other through the running graph, in real time."""
    own_domain()
    with bar_of("playing in real time", [task.bag for task in tasks], str) as teller:
        for task in tasks:
            topic = args.audio_topic or _only_sound(task.bag)
            options = options_of(args, topic)
            settings = settings_of(predict_graph(options, share_directory()))
            _tell(console, task, replay_live(task, options, settings, teller(task.bag)))


def _only_sound(path: Path) -> str:
    """The topic that offline would be listened to."""
    bag = RecordedBag(path)
    try:
        return RecordedSound(bag, SoundSettings()).topic
    finally:
        bag.close()


def _ignore(_: object) -> None:
    """Nobody looks on."""


_replay: Replay


def _load(settings: ReplaySettings, processes: int) -> None:
    global _replay
    share_processors(processes)
    _replay = Replay(settings)


def _replay_one(task: Task) -> Run:
    return replay_bag(_replay, task)


def _tell(console: Console, task: Task, done: Run) -> None:
    """Say what came of a recording."""
    verdicts = ", ".join(f"{count} {name}" for name, count in sorted(done.verdicts.items())) or "no verdict"
    line(console, task.bag.name, verdicts)
    speed = done.replayed_s / max(done.wall_s, 1e-9)
    line(console, "", f"{done.replayed_s:.0f} s in {done.wall_s:.1f} s, {speed:.1f} times real time")
    for note in done.notes:
        console.print(note, markup=False)
    line(console, "written", str(task.out))
