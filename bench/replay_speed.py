"""How many times faster than real time recordings are replayed, with one and with two processes, and what takes it.

    .venv/bin/python bench/replay_speed.py [--runs 5] [--views baked] [--model FOLDER] [--bag BAG]

By default the recording is one of `hearing_hands_ros.demo.normal`: simulated motion over the demo's bench, recorded
impacts as sounds, some 30 touches a minute. What is written to disk is in the times, loading and baking are not. The
shares are processor time of one process.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)  # of the second process

from hearing_hands_ros.compare.comparator import Comparator  # noqa: E402
from hearing_hands_ros.compare.judge import TouchJudge  # noqa: E402
from hearing_hands_ros.demo.normal import record_normal  # noqa: E402
from hearing_hands_ros.graph import DEMO_SOUND_TOPIC, Options, predict_graph, share_directory  # noqa: E402
from hearing_hands_ros.replay.ahead import Helper, share_processors  # noqa: E402
from hearing_hands_ros.replay.facts import Task  # noqa: E402
from hearing_hands_ros.replay.hands import RecordedHands  # noqa: E402
from hearing_hands_ros.replay.offline import replay_bag  # noqa: E402
from hearing_hands_ros.replay.replay import Replay  # noqa: E402
from hearing_hands_ros.replay.result import Run  # noqa: E402
from hearing_hands_ros.replay.settings import settings_of  # noqa: E402
from hearing_hands_ros.replay.sound import RecordedSound  # noqa: E402
from hearing_hands_ros.replay.writer import ResultWriter  # noqa: E402
from hearing_hands_ros.vision.view_features import Mode  # noqa: E402

SEED = 101
WANTED = 20.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each way, taking turns; the median counts")
    parser.add_argument("--views", choices=get_args(Mode), default="baked")
    parser.add_argument("--model", default="", help="that predicts; default: the one that ships")
    parser.add_argument("--bag", type=Path, help="of the demo's bench; default: one is made")
    args = parser.parse_args()
    share = share_directory()
    options = Options(demo=True, model=args.model, views=args.views, microphone=f"topic:{DEMO_SOUND_TOPIC}")
    settings = settings_of(predict_graph(options, share))
    share_processors()
    replay = Replay(settings)
    with tempfile.TemporaryDirectory() as folder:
        bag = args.bag or Path(folder) / "normal.mcap"
        if args.bag is None:
            record_normal(share / "demo", bag, SEED)
        task = Task(bag, Path(folder) / "results")
        speeds: dict[int, list[float]] = {1: [], 2: []}
        with Helper(settings) as helper:
            helper.wait()
            replay_bag(replay, task)  # what is compiled or loaded at its first use is not measured
            for number in range(args.runs):
                for processes, helping in ((1, None), (2, helper)):
                    load = os.getloadavg()[0]
                    run = replay_bag(replay, task, helper=helping)
                    speeds[processes].append(run.seconds / run.wall_s)
                    print(f"run {number + 1}, {processes} process(es): {speeds[processes][-1]:.1f}, load {load:.1f}")
        stages = Stages()
        begun_s = time.process_time()
        run = replay_bag(replay, task)
        taken_s = time.process_time() - begun_s
    print(f"{run.seconds:.0f} s with {60.0 * touches(run) / run.seconds:.0f} touches a minute, views {args.views}")
    for processes, found in speeds.items():
        print(f"{processes} process(es): {np.median(found):.1f} times real time, the median of {len(found)}")
    print(f"asked of two: {WANTED:g}")
    stages.tell(taken_s)


def touches(run: Run) -> int:
    """Touches of a replay."""
    return run.counts["touches"]


class Stages:
    """Processor time of the stages, from now on."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._inside = 0.0  # of stages within the present one
        for kind, names, stage in (
            (RecordedHands, ("take",), "reading transforms"),
            (RecordedHands, ("advance",), "following hands and finding touches"),
            (RecordedSound, ("take",), "reading sound"),
            (Comparator, ("hear",), "resampling, and onsets of all sound"),
            (Comparator, ("see", "expect", "poll"), "laying touches, sound and predictions together"),
            (TouchJudge, ("judge", "judge_alone"), "judging touches"),
            (ResultWriter, ("hear", "take", "finish"), "writing results"),
        ):
            for name in names:
                setattr(kind, name, self._timed(getattr(kind, name), stage))
        from hearing_hands_ros.replay import ahead

        ahead.predict_checked = self._timed(ahead.predict_checked, "predicting")

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            outside, self._inside, begun_s = self._inside, 0.0, time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                taken_s = time.process_time() - begun_s
                self._seconds[stage] += taken_s - self._inside
                self._inside = outside + taken_s

        return timed

    def tell(self, taken_s: float) -> None:
        """Print the share of each in all the time."""
        self._seconds["all else"] = taken_s - self._seconds.total()
        for stage, seconds in self._seconds.most_common():
            print(f"{stage:48} {seconds:6.2f} s {seconds / taken_s:6.1%}")


if __name__ == "__main__":
    main()
