"""`hearing-hands dataset calibration`: what is normal for the comparator, from a dataset's touches."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.cli.calibrate.normal import NormalTouches
from hearing_hands_ros.cli.calibrate.parameter_file import write_parameters
from hearing_hands_ros.cli.calibrate.recordings import check_out
from hearing_hands_ros.cli.options import add_alpha, check_alpha, replay_settings
from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.compare.calibrated import calibrated
from hearing_hands_ros.compare.comparator import Comparator
from hearing_hands_ros.compare.judge import TouchJudge
from hearing_hands_ros.compare.scoring.scorer import ANOMALY
from hearing_hands_ros.compare.scoring.shipped import load_scorer
from hearing_hands_ros.compare.settings import ComparatorSettings
from hearing_hands_ros.data.dataset import SPLITS, Dataset
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.graph import Options, share_directory
from hearing_hands_ros.model.checkpoint import WEIGHTS, load_checkpoint
from hearing_hands_ros.model.compact.generator import KIND, CompactGenerator
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.candidates import cut
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.generator import GeneratorPredictor
from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Predictor
from hearing_hands_ros.predictors.touch_windows import TouchWindows
from hearing_hands_ros.progress import progress
from hearing_hands_ros.replay.replay import Replayed
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder

APART_S: Final = 100
"""Items are heard at times so far apart: noise belongs to a time, and theirs is to differ."""

AT_EDGE: Final = "its sound is not all in its window"

Array = NDArray[np.float32]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset calibration`."""
    parser.add_argument("dataset", type=Path, help="folder of a dataset of normal touches")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model that predicts")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="ROS parameter file to write; others in it are kept"
    )
    parser.add_argument(
        "--split",
        choices=SPLITS,
        action="append",
        help="whose touches; none that the model was trained on. May be given several times; default: val and test",
    )
    add_alpha(parser)


def run(args: argparse.Namespace) -> int:
    """Collect, write, and say how to use it.

    Raises:
        FileNotFoundError: There is no dataset or no model.
        ValueError: The model does not fit the dataset, the robot's noise is evened out, or there are too few touches;
            then nothing is written.
    """
    check_alpha(args.alpha)
    out, dataset = check_out(args.out), Dataset.open(args.dataset.expanduser())
    splits = args.split or ["val", "test"]
    predictors = _Predictors(args.model.expanduser(), dataset)
    refs = [ref for split in splits for ref in dataset.items(split)]
    # The dataset's microphone lag is taken out, and its room's noise is in it.
    known = str(out) if out.is_file() else ""
    settings = replay_settings(Options(params_file=known))
    if settings.ego_noise:
        raise ValueError(f"--out: wanted no ego_noise, got '{out}' with it: use hearing-hands calibrate normal")
    comparing = replace(settings.comparator, microphone_lag_s=0.0)
    judge = TouchJudge(load_scorer(), None, args.alpha, comparing.search_s, segment_s=comparing.segment_s)
    windows = TouchWindows(settings.lead_s, settings.tail_s)
    touches = NormalTouches()
    for number, ref in enumerate(progress(refs, "judging touches"), start=1):
        item = dataset.load(ref)
        moved = _moved(item.motion, number * APART_S * NANOSECONDS)
        for replayed in judged(moved, item, predictors.of(item, moved), judge, comparing, windows, touches):
            contact = replayed.comparison.contact
            if contact is not None and not _is_whole(contact, moved, judge):
                touches.left_out[AT_EDGE] += 1
            else:
                touches.take(replayed)
    names = " and ".join(splits)
    source = f"{len(touches.heard)} touches of '{dataset.info.name}' ({names}), predicted by {predictors.model}"
    left_out = [f"left out {count}: {why}" for why, count in touches.left_out.most_common()]
    try:
        calibration = calibrated(
            touches.heard,
            touches.quiet,
            judge.scorer,
            args.alpha,
            source,
            after=touches.after,
            segment_s=judge.segment_s,
        )
    except ValueError as error:
        raise ValueError("\n".join([str(error), *left_out])) from error
    scores = out.with_name(f"{out.stem}_normal.yaml")
    calibration.save(scores)
    parameters = {"calibration": str(scores), "alpha": args.alpha}
    write_parameters(out, [out] if out.is_file() else [], parameters, "normal", source)
    console = make_console()
    line(console, "normal", source)
    for text in [*calibration.shortages(ANOMALY, args.alpha), *left_out]:
        console.print(text, markup=False)
    line(console, "written", f"{out} and {scores}")
    return 0


def judged(
    motion: HandMotion,
    item: Item,
    predictor: Predictor,
    judge: TouchJudge,
    settings: ComparatorSettings,
    windows: TouchWindows,
    touches: NormalTouches,
) -> Iterator[Replayed]:
    """Yield the comparisons of one item, as the graph makes them of a recording; tells `touches` of quiet.

    Args:
        motion: Of the item, at the time at which it is heard.
        item: What was heard.
        predictor: Of the item.
        judge: Scores touches.
        settings: Of the comparator.
        windows: Cuts out what is predicted.
        touches: Is told of quiet seconds.
    """
    comparator = Comparator(judge, settings)
    comparator.clear(motion.start_ns)
    rate_hz = judge.sample_rate_hz
    comparator.hear(motion.start_ns, item.audio[:, None], rate_hz)
    comparator.see(motion)
    frame_ns = round(NANOSECONDS / motion.rate_hz)
    for number, touch in enumerate(motion.contacts):  # as each began: what is predicted of a tap
        if touch.start_ns > motion.start_ns:
            known = cut(motion, motion.start_ns, touch.start_ns + frame_ns)
            over = [True] * number + [False]
            windows.begun(replace(known, contacts=motion.contacts[: number + 1]), over)
    over = [True] * len(motion.contacts)
    for made, window in enumerate(windows.of(motion, over), start=1):
        [prediction] = predictor.predict([window.candidate])
        comparator.expect(window.told(prediction), made)
    end_ns = motion.start_ns + round(motion.duration_s * NANOSECONDS)
    wait_s = settings.heard_wait_s + settings.prediction_wait_s + settings.segment_s
    for now_ns in (end_ns, end_ns + round(wait_s * NANOSECONDS)):
        yield from (Replayed(comparison) for comparison in comparator.poll(now_ns))
    touches.calm(comparator.take_quiet(), comparator.take_after())


def _is_whole(contact: Contact, motion: HandMotion, judge: TouchJudge) -> bool:
    """Whether all that is judged of a touch is in its item."""
    lead_ns, segment_ns = round(judge.lead_s * NANOSECONDS), round(judge.segment_s * NANOSECONDS)
    end_ns = motion.start_ns + round(motion.duration_s * NANOSECONDS)
    return (
        motion.start_ns + lead_ns <= contact.start_ns and max(contact.start_ns + segment_ns, contact.end_ns) <= end_ns
    )


def _moved(motion: HandMotion, by_ns: int) -> HandMotion:
    """The motion at a later time."""
    contacts = tuple(replace(c, start_ns=c.start_ns + by_ns, end_ns=c.end_ns + by_ns) for c in motion.contacts)
    return replace(motion, start_ns=motion.start_ns + by_ns, contacts=contacts)


class _Predictors:
    """The predictor of each item: a generator sees what is stored with it.

    Args:
        folder: Of the model.
        dataset: Whose items are predicted.
    """

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self._bank: ExamplePredictor | None = None
        if (folder / "bank.yaml").is_file():
            self._bank = ExamplePredictor(ExampleBank.load(folder))
            self.model = self._bank.model
            return
        checkpoint = load_checkpoint(folder, KIND)
        self._generator = CompactGenerator.of(checkpoint)
        if self._generator.encoder != dataset.info.encoder:
            raise ValueError(
                f"--model: wanted one that knows features of {dataset.info.encoder!r}, as Dataset("
                f"{dataset.info.name!r}) has them, got one of {self._generator.encoder!r}"
            )
        vocoder = checkpoint.config.get("vocoder", "") or share_directory() / "models" / "vocoder"
        self._vocoder = load_vocoder(vocoder, self._generator.device.type)
        self.model = f"{folder.resolve().name}@{checkpoint.config['sha256'][WEIGHTS][:8]}"

    def of(self, item: Item, motion: HandMotion) -> Predictor:
        """The predictor of an item that is heard at the time of `motion`."""
        if self._bank is not None:
            return self._bank
        return GeneratorPredictor(self._generator, self._vocoder, _StoredLooks(item, motion), self.model)


class _StoredLooks:
    """What the places that an item touches look like.

    Args:
        item: With the features.
        motion: Of it, at the time at which it is heard.
    """

    def __init__(self, item: Item, motion: HandMotion) -> None:
        self.scene: Array = item.scene_views.astype(np.float32).mean(axis=0)
        rows = item.contact_local.astype(np.float32)
        self._rows = {(c.start_ns, c.hand): row for c, row in zip(motion.contacts, rows, strict=True)}

    def looks(self, motion: HandMotion) -> Array:
        """(C, D) features of the place of each contact."""
        rows = [self._rows[c.start_ns, c.hand] for c in motion.contacts]
        return np.stack(rows) if rows else np.zeros((0, len(self.scene)), np.float32)
