"""What came of fine-tuning: the model's folder with its card, and the report for people and for machines."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hearing_hands_ros.model.checkpoint import CONFIG, WEIGHTS, read_config
from hearing_hands_ros.train.evaluation.tally import Cell
from hearing_hands_ros.train.finetune.gain import Gain, Gains
from hearing_hands_ros.whole_file import whole_file, write_text

FORMAT: Final = "hearing_hands_ros/finetuning/1"
CARD, REPORT, REPORT_JSON = "README.md", "report.md", "report.json"


@dataclass(frozen=True)
class Told:
    """What a report says beside the figures.

    Attributes:
        model: Name of the new model's folder.
        start: Name of the checkpoint that was fine-tuned, with the start of its hash.
        dataset: Its name.
        origin: 'simulated' or 'recorded'.
        made_by: How the dataset came about.
        minutes: Of each split.
        settings: Name of the file of settings, and what was changed of it.
        steps: That were trained.
        judged: Split that was listened to.
        licence: Of the new weights.
    """

    model: str
    start: str
    dataset: str
    origin: str
    made_by: str
    minutes: dict[str, float]
    settings: str
    steps: int
    judged: str
    licence: str

    def __str__(self) -> str:
        """For people."""
        lengths = ", ".join(f"{split} {minutes:.1f} min" for split, minutes in self.minutes.items())
        made = f" ({self.made_by})" if self.made_by else ""
        return (
            f"`{self.start}`, fine-tuned in {self.steps} steps ({self.settings}) on **{self.origin}** touches of "
            f"'{self.dataset}'{made}: {lengths}."
        )


def install(checkpoint: Path, out: Path) -> None:
    """Put the files of a checkpoint into the model's folder; an older one in it is replaced."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, CONFIG):
        with whole_file(out / name) as draft:
            shutil.copyfile(checkpoint / name, draft)


def write_report(out: Path, told: Told, found: Gains | None) -> str:
    """Write card and report into the model's folder.

    Args:
        out: The model's folder, with its checkpoint.
        told: What is said beside the figures.
        found: The figures; None if there was nothing to listen to.

    Returns:
        The report as Markdown.
    """
    text = markdown(told, found)
    rows = found.rows if found else ()
    document = {
        "format": FORMAT,
        **vars(told),
        "items": found.items if found else 0,
        "intervals_over": found.drawn if found else "",
        "measures": {row.measure.key: _document(row) for row in rows},
    }
    write_text(out / REPORT, text)
    machine = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    write_text(out / REPORT_JSON, machine)
    write_text(out / CARD, _card(out, told, found))
    return text


def markdown(told: Told, found: Gains | None) -> str:
    """The report for people."""
    lines = [f"# {told.model}: what fine-tuning gained", "", str(told), ""]
    if found is None:
        return "\n".join([*lines, "Nothing was held out of the training, so it is not known what it gained.", ""])
    again = " It also chose when to stop, which flatters the new one a little." if told.judged == "val" else ""
    lines += [*_table(found), "", f"{_listened(told, found)}{again}", "", _advice(found), ""]
    return "\n".join(lines)


def _table(found: Gains) -> list[str]:
    lines = ["| | before | after | difference | |", "|---|---|---|---|---|"]
    for row in found.rows:
        title = f"{row.measure.title} {'↑' if row.measure.higher else '↓'}"
        cells = [_text(row.before), _text(row.after), _text(row.difference, "+"), row.verdict]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _listened(told: Told, found: Gains) -> str:
    return (
        f"{found.items} items of split '{told.judged}', {told.origin}, which were not trained on; in brackets 95 % "
        f"intervals over {found.drawn}."
    )


def _advice(found: Gains) -> str:
    verdict = next(row.verdict for row in found.rows if row.measure.key == "stft")
    if verdict == "better":
        return "A calibration of the comparator belongs to one model: calibrate again with this one."
    return f"By STFT distance the new model is {verdict} from the one that it began with: keep that one."


def _card(out: Path, told: Told, found: Gains | None) -> str:
    digest = read_config(out)["sha256"][WEIGHTS]
    figures = [*_table(found), "", _listened(told, found)] if found else ["Nothing was held out to measure it on."]
    lines = [
        f"# {told.model}",
        "",
        f"Compact generator of touch sounds for one robot. {told}",
        "",
        f"**Use.** `model:={told.model}` of the launch files. Calibrate the comparator with it first.",
        "",
        f"**Weights.** `{WEIGHTS}`, sha256 {digest}. `{CONFIG}` says what trained them, and those before them.",
        "",
        "**Measured** against the model that it began with:",
        "",
        *figures,
        "",
        "**Limits.** It knows this robot's microphone, room and things; elsewhere the model that it began with may be "
        "better.",
        "",
        f"**Licence.** {told.licence}.",
        "",
    ]
    return "\n".join(lines)


def _text(cell: Cell, sign: str = "") -> str:
    return "–" if math.isnan(cell.value) else f"{cell.value:{sign}.2f} [{cell.low:{sign}.2f}, {cell.high:{sign}.2f}]"


def _document(row: Gain) -> dict[str, Any]:
    cells = {"before": row.before, "after": row.after, "difference": row.difference}
    known = {name: None if math.isnan(cell.value) else vars(cell) for name, cell in cells.items()}
    better = "higher" if row.measure.higher else "lower"
    return {"title": row.measure.title, "better": better, **known, "verdict": row.verdict}
