"""Replays a recording as fast as it goes, and leaves its results in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.ahead import Helper
from hearing_hands_ros.replay.facts import Task, counts_of, run_before
from hearing_hands_ros.replay.labels import Labels, read_labels
from hearing_hands_ros.replay.recording import Moment
from hearing_hands_ros.replay.replay import Replay, Replayed
from hearing_hands_ros.replay.result import OFFLINE, Run
from hearing_hands_ros.replay.writer import ResultWriter

INTERRUPTED = "interrupted"


@dataclass
class Watching:
    """Who else looks on.

    Attributes:
        tell: Told the share of the recording that is read.
        moment: Told of each moment.
        verdict: Told of each verdict.
    """

    tell: Callable[[float], object] = lambda _: None
    moment: Callable[[Moment], object] = lambda _: None
    verdict: Callable[[Replayed], object] = lambda _: None


def replay_bag(replay: Replay, task: Task, watching: Watching | None = None, helper: Helper | None = None) -> Run:
    """Replay a recording and write its results.

    When it ends early, what there is is written and says so, and what ended it is raised.

    Args:
        replay: Scene, predictor and judge.
        task: What, and where to.
        watching: Who else looks on.
        helper: Predicts, too.

    Raises:
        FileNotFoundError: The labels are not there.
        ValueError: The recording or the labels cannot be used, or the recording breaks off.
        OSError: The results cannot be written.
    """
    watching = watching or Watching()
    with replay.open(task.bag) as recording:
        begin_ns = now_ns = recording.begin_ns
        labels = Labels() if task.labels is None else read_labels(task.labels, begin_ns)
        writer = ResultWriter(task.out, labels, replay.settings.comparator.microphone_lag_s)
        judged_by = replay.judge.calibration
        run, quiet_s = run_before(task, OFFLINE, replay.settings, replay.predictor, replay.bundle, judged_by), 0

        def see(moment: Moment) -> None:
            nonlocal now_ns
            now_ns = moment.now_ns
            for block in moment.sound:
                assert block.stamp_ns is not None  # noqa: S101  (the monitor stamps every block)
                samples = block.data.reshape(-1, block.channels)
                writer.hear(block.stamp_ns, samples, block.sample_rate_hz, block.lost)
            watching.moment(moment)

        def count(seconds: list[float], _: list[float]) -> None:
            nonlocal quiet_s
            quiet_s += len(seconds)

        begun_s, ended = time.perf_counter(), INTERRUPTED
        try:
            for replayed in replay.run(recording, watching.tell, count, see, helper):
                writer.take(replayed.comparison, replayed.prediction)
                watching.verdict(replayed)
            ended = ""
        except (ValueError, MemoryError) as error:
            ended = f"{error}"
            raise
        finally:
            run = replace(
                run,
                ended=ended,
                begin_ns=begin_ns,
                seconds=recording.seconds,
                replayed_s=min(recording.seconds, (now_ns - begin_ns) / NANOSECONDS),
                wall_s=time.perf_counter() - begun_s,
                quiet_s=float(quiet_s),
                counts=counts_of(recording),
                notes=(str(recording),),
                missed=labels.missed(begin_ns, now_ns),
            )
            run = writer.finish(run)
    return run
