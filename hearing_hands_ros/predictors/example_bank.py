"""A folder of recorded touches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from numpy.typing import NDArray

from hearing_hands_ros.predictors.protocol import Kind
from hearing_hands_ros.sound.audio_file import read_audio

FORMAT = "hearing_hands_ros/bank/1"
BESIDE = frozenset({"bank.yaml", "calibration.yaml", "LICENSE.md", "README.md"})
"""Files of a bank that are not recordings."""

_FIELDS: dict[str, tuple[type, ...]] = {
    "file": (str,),
    "sha256": (str,),
    "material": (str,),
    "action": (str,),
    "tool": (str,),
    "sample_rate_hz": (int,),
    "seconds": (int, float),
    "onset_s": (int, float),
    "level_dbfs": (int, float),
    "group": (str,),
}
LEAD_S = 0.005
"""Sound kept from before the onset, s."""


@dataclass(frozen=True)
class Exemplar:
    """One recorded touch.

    Attributes:
        file: Path in the bank.
        material: Of the touched surface.
        kind: 'tap' or 'slide'.
        tool: What touched it.
        group: Exemplars of one group may be one recording.
        strength_db: Its level over the median of its material, kind and tool: how hard the touch
            was, as far as can be known.
        wave: (L,) float32 from `LEAD_S` before the onset to the end; its loudest 50 ms are at 0 dB.
    """

    file: str
    material: str
    kind: Kind
    tool: str
    group: str
    strength_db: float
    wave: NDArray[np.float32]


@dataclass(frozen=True)
class ExampleBank:
    """Exemplars, and which bank they are from.

    Attributes:
        name: Of the bank.
        model: `name` and the start of the hash of `bank.yaml` (which holds the hashes of the files).
        sample_rate_hz: Of every wave.
        exemplars: In the order of `bank.yaml`.
    """

    name: str
    model: str
    sample_rate_hz: int
    exemplars: tuple[Exemplar, ...]

    @cached_property
    def materials(self) -> tuple[str, ...]:
        """Materials in it, sorted."""
        return tuple(sorted({e.material for e in self.exemplars}))

    def of(self, material: str, kind: Kind) -> tuple[Exemplar, ...]:
        """Exemplars of one material and kind, in order; empty if there are none."""
        return tuple(e for e in self.exemplars if e.material == material and e.kind == kind)

    def without(self, group: str) -> ExampleBank:
        """The same bank less one group, to judge that group as if it were new."""
        return replace(self, exemplars=tuple(e for e in self.exemplars if e.group != group))

    @classmethod
    def load(cls, folder: str | Path, sample_rate_hz: int = 16000) -> ExampleBank:
        """Read and check a bank.

        Args:
            folder: Holds `bank.yaml`, the files it names, and nothing else but `BESIDE`.
            sample_rate_hz: Rate the waves are wanted at.

        Returns:
            The bank.

        Raises:
            FileNotFoundError: There is no `bank.yaml`, or files it names are missing (all are listed).
            ValueError: A field, a file's hash, rate or sound is not as it should be, or there are files it does
                not name.
        """
        folder = Path(folder)
        who = f"ExampleBank({folder.name!r})"
        path = folder / "bank.yaml"
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted bank.yaml, got nothing at {path}")
        raw = path.read_bytes()
        try:
            document = yaml.safe_load(raw)
        except yaml.YAMLError as error:
            raise ValueError(f"{who}: bank.yaml wanted YAML, got {error}") from error
        lines = _checked(document, who)
        _check_files(folder, [line["file"] for line in lines], who)
        waves = [_checked_wave(folder, line, sample_rate_hz, who) for line in lines]
        levels: dict[tuple[str, str, str], list[float]] = {}
        for line in lines:
            levels.setdefault((line["material"], line["action"], line["tool"]), []).append(line["level_dbfs"])
        exemplars = tuple(
            Exemplar(
                file=line["file"],
                material=line["material"],
                kind=line["action"],
                tool=line["tool"],
                group=line["group"],
                strength_db=line["level_dbfs"]
                - float(np.median(levels[line["material"], line["action"], line["tool"]])),
                wave=wave,
            )
            for line, wave in zip(lines, waves, strict=True)
        )
        model = f"{document['name']}@{hashlib.sha256(raw).hexdigest()[:12]}"
        return cls(name=document["name"], model=model, sample_rate_hz=sample_rate_hz, exemplars=exemplars)


def _checked(document: Any, who: str) -> list[dict[str, Any]]:
    """The lines of `bank.yaml`, each with all fields of the right type."""
    if not isinstance(document, dict):
        raise ValueError(f"{who}: bank.yaml wanted a mapping, got {type(document).__name__}")  # noqa: TRY004
    if document.get("format") != FORMAT:
        raise ValueError(f"{who}: bank.yaml: format wanted {FORMAT!r}, got {document.get('format')!r}")
    if not isinstance(document.get("name"), str):
        raise ValueError(f"{who}: bank.yaml: name wanted text, got {document.get('name')!r}")  # noqa: TRY004
    lines = document.get("recordings")
    if not isinstance(lines, list) or not lines:
        raise ValueError(f"{who}: bank.yaml: recordings wanted a list of at least one, got {lines!r}")
    for i, line in enumerate(lines):
        where = f"{who}: bank.yaml: recordings[{i}]"
        if not isinstance(line, dict):
            raise ValueError(f"{where} wanted a mapping, got {line!r}")  # noqa: TRY004
        for name, types in _FIELDS.items():
            value = line.get(name)
            if not isinstance(value, types) or isinstance(value, bool):
                wanted = " or ".join(t.__name__ for t in types)
                raise ValueError(f"{where} ({line.get('file')}): {name} wanted {wanted}, got {value!r}")  # noqa: TRY004
        if line["action"] not in ("tap", "slide"):
            raise ValueError(f"{where} ({line['file']}): action wanted 'tap' or 'slide', got {line['action']!r}")
        parts = Path(line["file"]).parts
        if Path(line["file"]).is_absolute() or ".." in parts:
            raise ValueError(f"{where}: file wanted a path inside the bank, got {line['file']!r}")
        if not 0 <= line["onset_s"] < line["seconds"]:
            raise ValueError(
                f"{where} ({line['file']}): onset_s wanted 0 to {line['seconds']} (the length), got {line['onset_s']}"
            )
    names = [line["file"] for line in lines]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"{who}: bank.yaml wanted each file once, got twice: {', '.join(twice)}")
    return lines


def _check_files(folder: Path, names: list[str], who: str) -> None:
    """Every named file is there and no other."""
    missing = [n for n in names if not (folder / n).is_file()]
    if missing:
        raise FileNotFoundError(f"{who}: wanted {len(names)} recordings, got none for: {', '.join(missing)}")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    extra = sorted(present - set(names) - BESIDE)
    if extra:
        raise ValueError(f"{who}: wanted only files that bank.yaml names, got also: {', '.join(extra)}")


def _checked_wave(folder: Path, line: dict[str, Any], sample_rate_hz: int, who: str) -> NDArray[np.float32]:
    """One recording from its onset on, at one level."""
    path = folder / line["file"]
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != line["sha256"]:
        raise ValueError(f"{who}: {line['file']}: sha256 wanted {line['sha256'][:12]}..., got {found[:12]}...")
    wave = read_audio(path, sample_rate_hz)
    rate = soundfile.info(path).samplerate
    if rate != line["sample_rate_hz"]:
        raise ValueError(f"{who}: {line['file']}: sample_rate_hz wanted {line['sample_rate_hz']}, got {rate}")
    wave = wave[max(0, round((line["onset_s"] - LEAD_S) * sample_rate_hz)) :]
    short = max(0, round((LEAD_S - line["onset_s"]) * sample_rate_hz))
    wave = np.pad(wave, (short, 0))
    n = round(0.05 * sample_rate_hz)
    power = np.convolve(wave.astype(np.float64) ** 2, np.ones(n) / n).max()
    if power <= 0:
        raise ValueError(f"{who}: {line['file']}: wanted sound after onset_s {line['onset_s']}, got silence")
    scaled: NDArray[np.float32] = (wave / np.sqrt(power)).astype(np.float32)
    return scaled
