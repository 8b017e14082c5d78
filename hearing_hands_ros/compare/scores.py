"""How odd a heard touch is, by several measures; larger is odder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.materials import MaterialModel, odds_against
from hearing_hands_ros.compare.timbre import timbre
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, Prediction
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.onsets import find_onsets

MATERIAL = "material"
"""Log-odds of another material; needs the bank."""

LOG_MEL = "log_mel"
ENVELOPE = "envelope"
ONSET_LAG = "onset_lag"

RANGE_LOG10 = 2.0
"""Mel values this far (40 dB) under the loudest are not compared."""

LEAST_STD = 0.15
"""A spread smaller than this is what recording the same touch twice gives, log10."""

_SPAN_S = 0.4


@dataclass(frozen=True)
class TouchScores:
    """Scores of one touch.

    Attributes:
        values: Name to value, larger is odder; NaN where it could not be had (`reason` says why).
        lag_s: Heard less expected onset; NaN if no onset was heard.
        heard_onset_s: Onset in the segment; None if none was heard near the expected one.
        nearest_material: Recorded material that is nearest to what was heard; empty without a bank.
        reason: What is missing, for people; empty if nothing is.
    """

    values: Mapping[str, float]
    lag_s: float
    heard_onset_s: float | None
    nearest_material: str = ""
    reason: str = ""
    distances: Mapping[str, float] = field(default_factory=dict)

    @property
    def deciding(self) -> tuple[str, float]:
        """Name and value of the score that decides: `material` where a bank was given, else `log_mel`; else NaN."""
        name = MATERIAL if MATERIAL in self.values else LOG_MEL
        return name, self.values.get(name, math.nan)


def score_touch(
    heard: NDArray[np.float32],
    prediction: Prediction,
    contact: Contact,
    *,
    lead_s: float,
    materials: MaterialModel | None = None,
    max_lag_s: float = 0.05,
    heard_onset_s: float | None = None,
    until_s: float | None = None,
    sequence: SequenceConfig | None = None,
) -> TouchScores:
    """Compare what was heard of one touch with what was predicted.

    - `material`: see `odds_against`; only with `materials`.
    - `log_mel`: mean over the cells of 0.4 s of |heard - predicted| / max(std, 0.15), both raised to what the room's
      noise and a 40 dB range leave, after the median difference (the gain of the microphone) is taken out.
    - `envelope`: mean absolute difference of the two levels over time, dB, gain taken out the same way.
    - `onset_lag`: |lag|, s.

    Args:
        heard: (L,) samples at 16 kHz, beginning `lead_s` before the expected onset. 0.25 s of lead or more let the
            onset detector learn the room; 0.45 s after the onset are used.
        prediction: What was expected; only its spectrogram and start are used.
        contact: The touch within it.
        lead_s: See `heard`.
        materials: Recorded materials, from the folder of a bank; None for the scores that need none.
        max_lag_s: Onsets up to this far from the expected one are taken for it.
        heard_onset_s: Onset in `heard` if a streaming detector found it already; else it is looked for here.
        until_s: Where in `heard` the next touch is expected; what follows is left out.
        sequence: Rates and lengths of the prediction.

    Returns:
        The scores. Without an onset, those of sound are NaN.

    Raises:
        ValueError: `heard` is not one finite channel or ends before the expected onset, or the shapes of the prediction
            do not fit `sequence`.
    """
    config = sequence or SequenceConfig()
    rate = config.sample_rate_hz
    x = np.asarray(heard, dtype=np.float32)
    if x.ndim != 1 or x.size <= lead_s * rate:
        raise ValueError(f"score_touch: heard wanted shape (L,), L > {lead_s * rate:.0f} (the lead), got {x.shape}")
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise ValueError(f"score_touch: heard wanted finite samples, got {bad} that are not")
    if prediction.sample_rate_hz != rate or prediction.log_mel.shape[0] != config.bins:
        raise ValueError(
            f"score_touch: prediction wanted {rate} Hz and {config.bins} bins, got {prediction.sample_rate_hz} Hz and "
            f"{prediction.log_mel.shape[0]} bins"
        )
    onset = heard_onset_s
    if onset is None:
        near = [t for t in find_onsets(x) if abs(t - lead_s) <= max_lag_s]
        onset = min(near, key=lambda t: abs(t - lead_s), default=None)
    names = [LOG_MEL, ENVELOPE, ONSET_LAG] + ([MATERIAL] if materials else [])
    if onset is None:
        nothing = dict.fromkeys(names, math.nan)
        return TouchScores(nothing, math.nan, None, reason=f"no onset within {max_lag_s * 1e3:.0f} ms")
    values = {ONSET_LAG: abs(onset - lead_s)}
    reason = ""
    residual, envelope, why = _mel_scores(x, onset, prediction, contact, until_s, config)
    values[LOG_MEL], values[ENVELOPE] = residual, envelope
    reason = reason or why
    nearest, distances = "", {}
    if materials is not None:
        try:
            distances = dict(materials.distances(timbre(x, onset, until_s), contact.kind))
        except ValueError as error:
            values[MATERIAL], reason = math.nan, str(error)
        else:
            nearest = min(distances, key=lambda m: distances[m])
            values[MATERIAL] = odds_against(distances, contact.material)
            if math.isnan(values[MATERIAL]):
                reason = f"the bank has no recording of material {contact.material!r}, or of no other"
    return TouchScores(values, onset - lead_s, onset, nearest, reason, distances)


def _mel_scores(
    x: NDArray[np.float32],
    onset_s: float,
    prediction: Prediction,
    contact: Contact,
    until_s: float | None,
    config: SequenceConfig,
) -> tuple[float, float, str]:
    """Standardised residual, envelope difference (dB), and what is missing."""
    # The heard wave is cut so that the touch falls on the same place within a hop as in the prediction.
    expected = (contact.start_ns - prediction.start_ns) / NANOSECONDS * config.sample_rate_hz
    first = max(0, math.floor(expected / config.hop))
    within = round(expected - first * config.hop)
    begin = round(onset_s * config.sample_rate_hz) - within
    end_s = onset_s + _SPAN_S if until_s is None else min(onset_s + _SPAN_S, until_s)
    frames = min(
        (min(x.size, round(end_s * config.sample_rate_hz)) - begin) // config.hop, prediction.log_mel.shape[1] - first
    )
    if expected < 0 or begin < 0 or frames < 3:
        return math.nan, math.nan, "the touch is too near to the edge of the prediction or of what was heard"
    cut = x[begin : begin + frames * config.hop]
    ours = log_mel(cut, config).astype(np.float64)
    wanted = prediction.log_mel[:, first : first + frames].astype(np.float64)
    spread = np.maximum(prediction.log_mel_std[:, first : first + frames], LEAST_STD)
    before = x[: max(0, begin - config.window // 2)]
    noise = np.full((config.bins, 1), -5.0)
    if before.size >= config.window:
        noise = np.median(log_mel(before, config), axis=1, keepdims=True).astype(np.float64) + 0.3
    gain = 0.0
    for _ in range(3):
        # The floor under both depends on the gain between them, and the gain on what is over the floor.
        floor = np.maximum(noise, ours.max() - RANGE_LOG10)
        a, b = np.maximum(ours, floor), np.maximum(wanted + gain, floor)
        over = (ours > floor) | (wanted + gain > floor)
        if not over.any():
            return math.nan, math.nan, "what was heard does not stand out of the noise"
        gain += float(np.median((a - b)[over]))
    a, b = np.maximum(ours, floor), np.maximum(wanted + gain, floor)
    residual = float((np.abs(a - b) / spread)[over].mean())
    level_a, level_b = (10.0 * np.log10((100.0**v).sum(axis=0)) for v in (a, b))
    difference = level_a - level_b
    return residual, float(np.abs(difference - np.median(difference)).mean()), ""


def expected_rise_db(prediction: Prediction, contact: Contact, sequence: SequenceConfig | None = None) -> float:
    """How far a touch should stand out of what still sounds of the touches before it.

    Args:
        prediction: Of the touch and of those before it.
        contact: The touch within it.
        sequence: Rates and lengths of the prediction.

    Returns:
        Predicted level of the loudest frame in the 80 ms from its begin on, at the lower end of the predicted spread,
        less that of the frames in the 60 ms before, at its upper end, dB; infinite if the prediction begins with the
        touch.
    """
    config = sequence or SequenceConfig()
    mean, spread = prediction.log_mel.astype(np.float64), prediction.log_mel_std.astype(np.float64)
    least, most = ((100.0 ** (mean + sign * spread)).sum(axis=0) for sign in (-1.0, 1.0))
    at = (contact.start_ns - prediction.start_ns) / NANOSECONDS * config.mel_rate_hz
    # Windows reach half their length over the frames' own hops: two frames before the begin already hear it.
    before = most[max(0, round(at - 2 - 0.06 * config.mel_rate_hz)) : max(0, round(at - 2))]
    after = least[round(at) : round(at + 0.08 * config.mel_rate_hz) + 1]
    if not before.size or not after.size:
        return math.inf
    return float(10.0 * np.log10(after.max() / before.max()))
