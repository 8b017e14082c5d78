"""Whether memory grows while recordings are replayed, as fast as it goes, and how fast that is.

    .venv/bin/python bench/replay_memory.py [--minutes 60] [--recording 10] [--views baked] [--model FOLDER]

One recording of touches on the demo's bench, some of them odd, is replayed again and again with the demo's calibration,
until so many minutes of it went through scene, tracker, predictor and comparator. Prints resident memory after each
tenth, and the slope of a line through those from `--settle` minutes on: before that caches fill.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from graph_load import SHARE, memory_mib, played

from hearing_hands_ros.graph import DEMO_SOUND_TOPIC, Options, predict_graph
from hearing_hands_ros.replay.replay import Replay
from hearing_hands_ros.replay.settings import settings_of
from hearing_hands_ros.vision.view_features import Mode

EVERY_S = 10.0


def write(bag: Path, minutes: float) -> None:
    """Make the recording."""
    played(60.0 * minutes, bag.parent).write(bag)


def replay_of(model: str, alpha: float = 0.05, views: Mode = "bare") -> Replay:
    """What the demo's nodes would do."""
    options = Options(demo=True, model=model, views=views, microphone=f"topic:{DEMO_SOUND_TOPIC}")
    return Replay(replace(settings_of(predict_graph(options, SHARE)), alpha=alpha))


def main() -> None:
    """Make the recording, replay it, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of recording that are replayed")
    parser.add_argument("--recording", type=float, default=10.0, help="minutes of it until it begins again")
    parser.add_argument("--settle", type=float, default=5.0, help="minutes of recording that do not count")
    parser.add_argument("--views", choices=get_args(Mode), default="baked")
    parser.add_argument("--model", default="", help="that predicts; default: the one that ships")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / "touches.mcap"
        # Memory that making it would leave behind could hide what replaying it takes.
        maker = multiprocessing.get_context("spawn").Process(target=write, args=(bag, args.recording))
        maker.start()
        maker.join()
        if maker.exitcode:
            sys.exit("the recording could not be made")
        minutes, memory, verdicts, wall_s = measured(replay_of(args.model, views=args.views), bag, args.minutes)
    for tenth in range(11):
        number = round(tenth / 10 * (len(minutes) - 1))
        print(f"after {minutes[number]:6.1f} min of recording: {memory[number]:8.1f} MiB")
    print("verdicts: " + ", ".join(f"{name} {count}" for name, count in verdicts.most_common()))
    print(f"speed:    {60.0 * minutes[-1] / wall_s:.1f} times real time, load {os.getloadavg()[0]:.1f}")
    settled = np.array(minutes) >= args.settle
    if settled.sum() < 3:
        print(f"slope:    not measured, {args.settle:g} minutes are left out")
        return
    x, y = np.array(minutes)[settled] / 60.0, np.array(memory)[settled]
    slope, level = np.polyfit(x, y, 1)
    off = y - (slope * x + level)
    error = np.sqrt((off**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
    print(
        f"slope:    {slope:+.2f} MiB for each hour of recording, standard error {error:.2f}; largest {y.max():.1f} MiB"
    )


def measured(replay: Replay, bag: Path, minutes: float) -> tuple[list[float], list[float], Counter[str], float]:
    """Replay; minutes of recording and the memory then, how many of each verdict, and the seconds that it took."""
    at_min, memory, verdicts = [0.0], [memory_mib(os.getpid())], Counter[str]()
    begun_s, before_s = time.monotonic(), 0.0
    while before_s < 60.0 * minutes:
        with replay.open(bag) as recording:
            length_s = recording.seconds

            def tell(share: float, before_s: float = before_s, length_s: float = length_s) -> None:
                now_s = before_s + share * length_s
                if now_s >= 60.0 * at_min[-1] + EVERY_S:
                    at_min.append(now_s / 60.0)
                    memory.append(memory_mib(os.getpid()))

            for replayed in replay.run(recording, tell):
                verdicts[replayed.comparison.judgement.verdict.name] += 1
        before_s += length_s
    return at_min, memory, verdicts, time.monotonic() - begun_s


if __name__ == "__main__":
    main()
