"""Make a bank of exemplars and a held-out set from a folder of labelled recordings.

    python -m hearing_hands_ros.data.impact_sounds SOURCE_DIR OUT_DIR

SOURCE_DIR holds `manifest.csv` (file, material, action, tool), `LICENSE.md` and the recordings; OUT_DIR gets `bank/`
and `held_out/`, each with `bank.yaml`, `LICENSE.md` and unchanged copies of its recordings. The split is by group:
recordings that are one recording under several names are all on the same side.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import sys
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import yaml
from numpy.typing import NDArray

from hearing_hands_ros.data import duplicates
from hearing_hands_ros.progress import progress
from hearing_hands_ros.sound.audio_file import read_audio

FORMAT = "hearing_hands_ros/bank/1"
RATE_HZ = 16000
EXCLUDED_PREFIX = "fs_rock"
"""The same waves as fs_gravel*, labelled stone. One sound cannot teach two materials; it is kept as gravel."""

SLIDES = frozenset({"scrape"})
"""Actions of the source that are slides; all others are taps."""


@dataclass(frozen=True)
class Recording:
    """One line of `bank.yaml`.

    Attributes:
        file: Path inside the folder, with forward slashes.
        sha256: Of the file, in hex.
        material: Of the touched surface.
        action: 'tap' or 'slide'.
        tool: What touched it.
        sample_rate_hz: Rate of the file.
        seconds: Length of the file.
        onset_s: Where in the file the touch begins to sound.
        level_dbfs: Level of its loudest 50 ms (1 is 0 dB).
        group: Recordings of one group are, or may be, one recording; the name is that of its first.
    """

    file: str
    sha256: str
    material: str
    action: str
    tool: str
    sample_rate_hz: int
    seconds: float
    onset_s: float
    level_dbfs: float
    group: str


def begin_s(wave: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Where a clean recording begins to sound: its 1 ms power first within 26 dB of its 5 ms peak.

    Args:
        wave: (L,) samples, not silent.
        sample_rate_hz: Rate of `wave`.

    Returns:
        Seconds since sample 0.
    """
    power = wave.astype(np.float64) ** 2
    short, long = max(1, sample_rate_hz // 1000), max(1, sample_rate_hz // 200)
    peak = float(np.convolve(power, np.ones(long) / long).max())
    rise = np.convolve(power, np.ones(short) / short)[short - 1 :]
    return float(np.argmax(rise > peak * 10.0**-2.6)) / sample_rate_hz


def level_dbfs(wave: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Level of the loudest 50 ms.

    Args:
        wave: (L,) samples, not silent.
        sample_rate_hz: Rate of `wave`.

    Returns:
        dB, 0 for a mean square of 1.
    """
    n = max(1, sample_rate_hz // 20)
    return float(10.0 * np.log10(np.convolve(wave.astype(np.float64) ** 2, np.ones(n) / n).max() + 1e-12))


def survey(source: Path) -> list[Recording]:
    """Read every recording of the source and find which are one recording.

    Args:
        source: Folder with `manifest.csv`.

    Returns:
        All recordings but those of `EXCLUDED_PREFIX`, in the order of the manifest.

    Raises:
        FileNotFoundError: The manifest or a recording is missing.
        ValueError: A recording cannot be read, or a group has two materials.
    """
    manifest = source / "manifest.csv"
    if not manifest.is_file():
        raise FileNotFoundError(f"survey({source.name!r}): wanted manifest.csv, got nothing at {manifest}")
    with manifest.open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if not Path(r["file"]).name.startswith(EXCLUDED_PREFIX)]
    waves = [read_audio(source / r["file"], RATE_HZ) for r in progress(rows, "reading")]
    begins = [begin_s(w, RATE_HZ) for w in waves]
    lengths = np.array([soundfile.info(source / r["file"]).frames for r in rows])
    plain, white = duplicates.matches(waves)
    linked = (plain >= duplicates.PLAIN_LEAST) | (white >= duplicates.WHITE_LEAST)
    linked |= (lengths[:, None] == lengths[None]) & (white >= duplicates.WHITE_LEAST_SAME_LENGTH)
    # A copy at another speed keeps its material, so this slow search is done a material at a time.
    materials = np.array([r["material"] for r in rows])
    for material in progress(sorted(set(materials)), "looking for copies at another speed"):
        which = np.flatnonzero(materials == material)
        found = duplicates.speed_matches([waves[i] for i in which], [begins[i] for i in which])
        linked[np.ix_(which, which)] |= found >= duplicates.WHITE_LEAST
    labels = duplicates.groups(linked)
    recordings = []
    for i, row in enumerate(rows):
        first = rows[labels[i]]
        if first["material"] != row["material"]:
            raise ValueError(
                f"survey({source.name!r}): {row['file']} is {first['file']} under another name: wanted one material, "
                f"got {row['material']} and {first['material']}"
            )
        path = source / row["file"]
        info = soundfile.info(path)
        recordings.append(
            Recording(
                file=row["file"],
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                material=row["material"],
                action="slide" if row["action"] in SLIDES else "tap",
                tool=row["tool"],
                sample_rate_hz=int(info.samplerate),
                seconds=round(info.frames / info.samplerate, 4),
                onset_s=round(begins[i], 4),
                level_dbfs=round(level_dbfs(waves[i], RATE_HZ), 1),
                group=Path(first["file"]).stem,
            )
        )
    return recordings


def split(recordings: list[Recording], held_out_share: float = 1 / 3) -> tuple[list[Recording], list[Recording]]:
    """Bank and held-out recordings, whole groups each, the share kept for every material and tool.

    Groups of a material and tool are walked in the order of a hash of their name, and each goes to the side that is
    further behind its share; the first goes to the bank.

    Args:
        recordings: From `survey`.
        held_out_share: Share of recordings to hold out, 0..1.

    Returns:
        (bank, held out), each in the order of `recordings`.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0.0 < held_out_share < 1.0:
        raise ValueError(f"split: held_out_share wanted more than 0 and less than 1, got {held_out_share}")
    members: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        members[recording.group].append(recording)
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, group in members.items():
        strata[group[0].material, group[0].tool].append(name)
    held: set[str] = set()
    for names in strata.values():
        in_bank = in_held = 0
        for name in sorted(names, key=lambda n: hashlib.sha256(n.encode()).hexdigest()):
            size = len(members[name])
            if (in_held + size) * (1.0 - held_out_share) <= in_bank * held_out_share + size * 0.5:
                held.add(name)
                in_held += size
            else:
                in_bank += size
    return [r for r in recordings if r.group not in held], [r for r in recordings if r.group in held]


def write_bank(source: Path, out: Path, name: str, recordings: list[Recording]) -> None:
    """Copy recordings unchanged and write `bank.yaml` beside them.

    Args:
        source: Folder the recordings are in.
        out: Folder to make; an older one is replaced.
        name: Of the bank.
        recordings: What goes in it.

    Raises:
        FileExistsError: `out` exists and is not a bank.
    """
    if out.exists():
        if any(out.iterdir()) and not (out / "bank.yaml").is_file():
            raise FileExistsError(
                f"write_bank({name!r}): wanted an empty folder or an older bank, got other files in {out}"
            )
        shutil.rmtree(out)
    for recording in recordings:
        target = out / recording.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / recording.file, target)
    shutil.copyfile(source / "LICENSE.md", out / "LICENSE.md")
    document = {
        "format": FORMAT,
        "name": name,
        "license": "CC-BY-SA-3.0",
        "attribution": "Copyright Wildfire Games, https://www.wildfiregames.com/ (0 A.D.)",
        "recordings": [asdict(r) for r in recordings],
    }
    with (out / "bank.yaml").open("w") as stream:
        yaml.safe_dump(document, stream, sort_keys=False, width=200, default_flow_style=None)


def main(arguments: list[str]) -> int:
    """Command line: SOURCE_DIR OUT_DIR."""
    if len(arguments) != 2:
        print("usage: python -m hearing_hands_ros.data.impact_sounds SOURCE_DIR OUT_DIR", file=sys.stderr)
        return 2
    source, out = (Path(a) for a in arguments)
    recordings = survey(source)
    for name, part in zip(("bank", "held_out"), split(recordings), strict=True):
        write_bank(source, out / name, f"impact-sounds-{name.replace('_', '-')}", part)
        counts = Counter(r.material for r in part)
        of_groups = Counter(m for m, _ in {(r.material, r.group) for r in part})
        listed = ", ".join(f"{m} {counts[m]} ({of_groups[m]} groups)" for m in sorted(counts))
        print(f"{name}: {len(part)} recordings: {listed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
