"""`hearing-hands evaluate`: how well the sound of touches is predicted in scenes that were held out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markdown import Markdown

from hearing_hands_ros.data.dataset import SPLITS, Dataset, DatasetInfo
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.progress import progress
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.embedding.protocol import load_embedding
from hearing_hands_ros.sound.vocoder.protocol import Vocoder, load_vocoder
from hearing_hands_ros.train.evaluation import examples, report, systems
from hearing_hands_ros.train.evaluation.ceiling import Ceiling
from hearing_hands_ros.train.evaluation.listener import Listener
from hearing_hands_ros.train.evaluation.run import Evaluation
from hearing_hands_ros.train.evaluation.touches import heard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate`."""
    parser.add_argument("dataset", help="folder of a dataset; its training split teaches the baselines and the probes")
    parser.add_argument("--split", choices=SPLITS, default="test", help="what is judged on; default: %(default)s")
    parser.add_argument("--bank", help="folder of recorded touches for the example-based predictor")
    parser.add_argument(
        "--model", action="append", default=[], help="folder of a generator; may be given several times"
    )
    parser.add_argument(
        "--steps", type=_steps, default=(), help="numbers of steps to try the first generator at, as 1,2,4,8,25"
    )
    parser.add_argument("--ablate", action="store_true", help="take conditions away from the first generator")
    parser.add_argument("--vocoder", help="griffin_lim or a checkpoint's folder; default: the one that ships")
    parser.add_argument(
        "--embedding", default="aisfx", help="aisfx (trained on sound effects) or mel; default: %(default)s"
    )
    parser.add_argument("--items", type=int, default=0, help="judge at most this many items; default: all")
    parser.add_argument(
        "--train-items", type=int, default=1000, help="learn from at most this many; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="of noise and intervals; default: %(default)s")
    parser.add_argument(
        "--out", default="out/evaluation", help="folder for table.md and table.json; default: %(default)s"
    )


def run(args: argparse.Namespace) -> int:
    """Measure every system, print the table and write it."""
    dataset = Dataset.open(args.dataset)
    sequence = dataset.info.sequence
    rate = sequence.sample_rate_hz
    embedding = load_embedding(args.embedding)
    vocoder = load_vocoder(args.vocoder or _shipped_vocoder())
    bank = ExampleBank.load(args.bank, rate) if args.bank else None
    generators = list(_generators(dataset.info, args.model, vocoder, args.steps, args.ablate, args.seed))
    train = _items(dataset, "train", args.train_items)
    items = _items(dataset, args.split, args.items)
    listener = Listener.train(embedding, train, rate)
    evaluation = Evaluation(items, listener, sequence, np.random.default_rng(args.seed))
    touches = [touch for item in items for touch in heard(item, rate)]
    setting = report.Setting(
        dataset=dataset.info.name,
        origin=dataset.info.origin,
        split=args.split,
        scenes=len(evaluation.scenes),
        items=len(items),
        touches=len(touches),
        alone=sum(touch.alone for touch in touches),
        embedding=embedding.name,
        ceiling=Ceiling.of(bank, embedding) if bank else None,
    )
    compared = [*_baselines(train, sequence, vocoder, bank), *generators]
    rows = []
    for system in progress(compared, "systems"):
        rows.append(evaluation.row(system))
        report.write(args.out, setting, rows)  # what is finished is kept
    Console().print(Markdown(report.markdown(setting, rows)))
    print(f"written: {Path(args.out) / 'table.md'}, {Path(args.out) / 'table.json'}")
    return 0


def _steps(text: str) -> tuple[int, ...]:
    """Numbers of steps from '1,2,4'."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(f"wanted whole numbers of at least 1 as 1,2,4, got {text!r}")
    return tuple(int(word) for word in words)


def _shipped_vocoder() -> str:
    folder = share_directory() / "models" / "vocoder"
    return str(folder) if folder.is_dir() else "griffin_lim"


def _items(dataset: Dataset, split: str, most: int) -> list[Item]:
    """Items of a split, evenly thinned out to `most` (0 for all), in order of scenes.

    Raises:
        ValueError: There are none, or `most` is negative.
    """
    refs = dataset.items(split)
    if not refs or most < 0:
        raise ValueError(f"evaluate: wanted items of split '{split}' and 0 or more, got {len(refs)} and {most}")
    count = min(most or len(refs), len(refs))
    chosen = [refs[i * len(refs) // count] for i in range(count)]
    return [dataset.load(ref) for ref in progress(chosen, f"reading {split}")]


def _baselines(
    train: list[Item], sequence: SequenceConfig, vocoder: Vocoder, bank: ExampleBank | None
) -> Iterator[systems.System]:
    """The ends of the scale, and the example-based predictor told the material or seeing it."""
    yield systems.Truth()
    yield systems.ThroughVocoder(vocoder, sequence)
    yield systems.Silence()
    yield systems.Shuffled(systems.Truth())
    touches = examples.train_touches(train, sequence.sample_rate_hz)
    settings = examples.level_fitted(touches)
    looks = examples.material_by_look(train)
    own = examples.bank_of(touches, sequence.sample_rate_hz)
    banks = {"training touches": own}
    if bank:
        banks["bank"] = examples.filled_up(bank, own)
    for name, exemplars in banks.items():
        yield examples.ExampleSystem(f"{name}, told the material", exemplars, sequence, settings)
        yield examples.ExampleSystem(f"{name}, seeing it", exemplars, sequence, settings, looks)


def _generators(
    info: DatasetInfo, folders: list[str], vocoder: Vocoder, steps: Sequence[int], ablate: bool, seed: int
) -> Iterator[systems.System]:
    """Each generator as it ships; the first also shuffled, at other steps, and with conditions taken away.

    Raises:
        ValueError: A generator knows another image encoder or other rates than the dataset.
    """
    if not folders:
        return
    from hearing_hands_ros.model.compact.generator import CompactGenerator  # torch is slow to import
    from hearing_hands_ros.train.evaluation.generator import DROPS, GeneratorSystem

    for number, folder in enumerate(folders):
        generator = CompactGenerator.load(folder)
        if (generator.encoder, generator.sequence) != (info.encoder, info.sequence):
            raise ValueError(
                f"evaluate: model '{folder}' wanted features of '{generator.encoder}' and {generator.sequence}, "
                f"got those of dataset '{info.name}': '{info.encoder}' and {info.sequence}"
            )
        name = Path(folder).resolve().name
        whole = GeneratorSystem(name, generator, vocoder, seed=seed)
        yield whole
        if number > 0:
            continue
        yield systems.Shuffled(whole)
        yield from (GeneratorSystem(name, generator, vocoder, count, seed=seed) for count in steps)
        if ablate:
            yield from (GeneratorSystem(name, generator, vocoder, drop=drop, seed=seed) for drop in DROPS)
