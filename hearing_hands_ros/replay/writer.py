"""Writes the folder of a replay while it goes on; see `result`."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from hearing_hands_ros.compare.comparator import Comparison
from hearing_hands_ros.compare.evidence import Difference
from hearing_hands_ros.compare.heard import HeardSound
from hearing_hands_ros.compare.scoring.touch import RATE_HZ
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Prediction
from hearing_hands_ros.replay.labels import Labels
from hearing_hands_ros.replay.result import (
    BEFORE_S,
    RUN,
    SOUNDS,
    TOUCHES,
    DifferenceResult,
    Run,
    TouchResult,
    heard_path,
    predicted_path,
)
from hearing_hands_ros.whole_file import write_text

RING_S = 30.0
"""So much sound is kept; the longest touch and the wait for its verdict are shorter."""

MOST_WAITING = 32
"""Touches whose sound may be waited for; a microphone that is gone shall not fill the memory."""

AFTER_S = 1.2
"""Sound after a touch of which none was predicted."""


@dataclass(frozen=True)
class _Waiting:
    """A touch whose sound is not heard to its end yet."""

    number: int
    start_ns: int
    samples: int
    prediction: Prediction | None


class ResultWriter:
    """Takes sound and verdicts as they come.

    Sounds are files of their own, each whole or not there; a line is written as the verdict comes. What an earlier
    replay has written into the folder goes first, and its `run.json` before all else.

    Args:
        folder: Is made if it is not there.
        labels: Of the recording.
        microphone_lag_s: Heard minus true time; is taken out of the files.

    Raises:
        OSError: The folder cannot be written to.
    """

    def __init__(self, folder: Path, labels: Labels, microphone_lag_s: float) -> None:
        self.folder = folder
        self.verdicts: Counter[str] = Counter()
        self._labels, self._lag_ns = labels, round(microphone_lag_s * NANOSECONDS)
        self._ring = HeardSound(RATE_HZ, RING_S)
        self._waiting: deque[_Waiting] = deque()
        (folder / SOUNDS).mkdir(parents=True, exist_ok=True)
        (folder / RUN).unlink(missing_ok=True)
        for old in (folder / SOUNDS).glob("*.flac*"):
            old.unlink()
        self._lines: TextIO = (folder / TOUCHES).open("w", encoding="utf-8")

    def hear(self, stamp_ns: int, samples: NDArray[np.float32], rate_hz: int, lost: NDArray[np.bool_] | None) -> None:
        """Take a block (L, C) of sound; see `HeardSound.push`."""
        self._ring.push(stamp_ns, samples, rate_hz, lost)
        until_ns = self._ring.until_ns or 0
        while self._waiting and until_ns >= self._end_ns(self._waiting[0]):
            self._write_sounds(self._waiting.popleft())

    def take(self, comparison: Comparison, prediction: Prediction | None, latency_s: float = math.nan) -> TouchResult:
        """Take a verdict with the prediction that it was given on; `latency_s` is that of the running graph."""
        number = self.verdicts.total() + 1
        result = touch_result(number, comparison, prediction, self._labels.take(comparison.stamp_ns), latency_s)
        self.verdicts[result.verdict] += 1
        self._lines.write(result.line() + "\n")
        self._lines.flush()
        start_ns = comparison.stamp_ns - round(BEFORE_S * NANOSECONDS)
        end_ns = comparison.since_ns + round(AFTER_S * NANOSECONDS)
        if prediction is not None:
            end_ns = prediction.start_ns + round(len(prediction.audio) * NANOSECONDS / RATE_HZ)
        samples = max(1, round((end_ns - start_ns) * RATE_HZ / NANOSECONDS))
        self._waiting.append(_Waiting(number, start_ns, samples, prediction))
        if len(self._waiting) > MOST_WAITING:
            self._write_sounds(self._waiting.popleft())
        return result

    def finish(self, run: Run) -> Run:
        """Write the sounds that waited, and last of all what was replayed with what.

        Args:
            run: All but the verdicts.

        Returns:
            What was written.

        Raises:
            OSError: The disk is full; then there is no `run.json`.
        """
        while self._waiting:
            self._write_sounds(self._waiting.popleft())
        self._lines.close()
        run = replace(run, touches=self.verdicts.total(), verdicts=dict(self.verdicts))
        write_text(self.folder / RUN, run.text())
        return run

    def _end_ns(self, waiting: _Waiting) -> int:
        return waiting.start_ns + self._lag_ns + -(-waiting.samples * NANOSECONDS // RATE_HZ)

    def _write_sounds(self, waiting: _Waiting) -> None:
        heard, received = self._ring.segment(waiting.start_ns + self._lag_ns, waiting.samples)
        if received.any():
            _write(heard_path(self.folder, waiting.number), heard)
        if waiting.prediction is not None:
            _write(predicted_path(self.folder, waiting.number), _cut(waiting.prediction, waiting))


def touch_result(
    number: int, comparison: Comparison, prediction: Prediction | None, label: str, latency_s: float = math.nan
) -> TouchResult:
    """A verdict as it is written."""
    judgement, contact, watched = comparison.judgement, comparison.contact, comparison.judgement.watched
    of_touch: dict[str, Any] = {}
    if contact is not None:
        of_touch = {
            "kind": contact.kind,
            "contact_id": contact.contact_id,
            "hand": contact.hand,
            "material": contact.material,
            "position_m": tuple(map(float, contact.position_m)),
            "normal": tuple(map(float, contact.normal)),
            "approach_speed_mps": contact.approach_speed_mps,
            "slide_speed_mps": contact.slide_speed_mps,
        }
    return TouchResult(
        number=number,
        stamp_ns=comparison.stamp_ns,
        since_ns=comparison.since_ns,
        verdict=judgement.verdict.name,
        reason=judgement.reason,
        **of_touch,
        p_value=float(judgement.p_value),
        company=judgement.company,
        scores={name: float(value) for name, value in judgement.scores.items()},
        baselines={name: float(value) for name, value in watched.baselines.items()} if watched else {},
        anomaly=judgement.anomaly,
        nearest_material=judgement.nearest_material,
        expected_material=judgement.expected_material,
        heard_onset=judgement.heard_onset,
        lag_s=float(judgement.lag_s),
        onsets_s=tuple(map(float, judgement.onsets_s)),
        difference=_difference(judgement.difference),
        change=float(watched.change) if watched else 0.0,
        change_alarm=bool(watched and watched.changed),
        compute_s=math.nan if prediction is None else prediction.latency_s,
        latency_s=latency_s,
        label=label,
    )


def _difference(found: Difference | None) -> DifferenceResult | None:
    if found is None:
        return None
    return DifferenceResult(found.low_hz, found.high_hz, found.begin_s, found.end_s, found.by_db)


def _cut(prediction: Prediction, waiting: _Waiting) -> NDArray[np.float32]:
    """The predicted sound over the span of the file; zero where nothing was predicted."""
    first = round((waiting.start_ns - prediction.start_ns) * RATE_HZ / NANOSECONDS)
    samples = np.zeros(waiting.samples, np.float32)
    low, high = max(first, 0), min(first + waiting.samples, len(prediction.audio))
    if low < high:
        samples[low - first : high - first] = prediction.audio[low:high]
    return samples


def _write(path: Path, samples: NDArray[np.float32]) -> None:
    """A sound file, whole or not at all."""
    draft = path.with_name(f"{path.name}.part")
    soundfile.write(draft, np.clip(samples, -1.0, 1.0), RATE_HZ, format="FLAC", subtype="PCM_16")
    draft.replace(path)
