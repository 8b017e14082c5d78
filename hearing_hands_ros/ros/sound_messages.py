"""Sound, spectrograms and predictions to and from messages."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.compare.comparator import Comparison
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, MelSpectrogram, SoundComparison, SoundPrediction
from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Kind, Prediction
from hearing_hands_ros.ros.hand_messages import read_hand_trajectory, stamp_from_ns, stamp_to_ns
from hearing_hands_ros.sequence import SequenceConfig

LARGEST_LEVEL = 100.0
"""Samples and log-mel values beyond this are garbage, finite or not: further computation would overflow."""

LARGEST_M = 1e4
"""The same of positions, m, and speeds, m/s."""

RATES_HZ = (1_000, 1_000_000)
"""Sample rates that sound has."""

KINDS: dict[int, Kind] = {ContactEvent.TAP: "tap", ContactEvent.SLIDE: "slide"}


def read_contact(event: ContactEvent) -> Contact:
    """Touch of a message.

    Raises:
        ValueError: The kind is not known, a place or speed is too large, or it ends before it begins (`Contact`).
    """
    if event.kind not in KINDS:
        raise ValueError(f"ContactEvent {event.id}: kind wants one of {sorted(KINDS)}, got {event.kind}")
    where = event.position
    _check_range(f"ContactEvent {event.id}: position", [where.x, where.y, where.z], LARGEST_M, "m")
    _check_range(f"ContactEvent {event.id}: speeds", [event.approach_speed, event.slide_speed], LARGEST_M, "m/s")
    return Contact(
        start_ns=stamp_to_ns(event.header.stamp),
        end_ns=stamp_to_ns(event.end),
        kind=KINDS[event.kind],
        material=event.material,
        approach_speed_mps=float(event.approach_speed),
        slide_speed_mps=float(event.slide_speed),
        hand=int(event.hand),
        position_m=(event.position.x, event.position.y, event.position.z),
        normal=(event.normal.x, event.normal.y, event.normal.z),
        contact_id=int(event.id),
    )


def read_hand_motion(message: HandTrajectory) -> HandMotion:
    """Motion of a window or of a candidate.

    Raises:
        ValueError: A length, the rate, a keypoint or a touch is not possible (who, wanted, got).
    """
    keypoints, valid = read_hand_trajectory(message)
    _check_range("HandTrajectory: keypoints", keypoints[valid], LARGEST_M, "m")
    return HandMotion(
        start_ns=stamp_to_ns(message.header.stamp),
        rate_hz=float(message.rate_hz),
        keypoints=keypoints,
        valid=valid,
        contacts=tuple(read_contact(event) for event in message.contacts),
    )


def read_hands(message: HandTrajectory) -> tuple[HandMotion, list[Contact]]:
    """Motion of a window with the touches that have ended, and those that still go on.

    Raises:
        ValueError: A length, the rate, a keypoint or a touch is not possible (who, wanted, got).
    """
    motion = read_hand_motion(message)
    ended = [event.phase == ContactEvent.ENDED for event in message.contacts]
    done = tuple(contact for contact, over in zip(motion.contacts, ended, strict=True) if over)
    going_on = [contact for contact, over in zip(motion.contacts, ended, strict=True) if not over]
    return replace(motion, contacts=done), going_on


def audio_message(start_ns: int, frame_id: str, samples: NDArray[np.float32], sample_rate_hz: int) -> Audio:
    """Message of mono sound (L,) whose first sample stands at `start_ns`."""
    message = Audio(sample_rate_hz=sample_rate_hz, channels=1)
    message.header.stamp = stamp_from_ns(start_ns)
    message.header.frame_id = frame_id
    message.data = array("f", np.ascontiguousarray(samples, np.float32).tobytes())
    return message


def read_audio(message: Audio) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Samples (L, C) and what of them is lost (L,).

    Raises:
        ValueError: No samples, no rate that sound has, no channels, lengths that do not fit, or samples that are not
            finite or beyond `LARGEST_LEVEL`.
    """
    rate, channels, count = int(message.sample_rate_hz), int(message.channels), len(message.data)
    if not RATES_HZ[0] <= rate <= RATES_HZ[1] or channels < 1:
        wanted = f"{RATES_HZ[0]} to {RATES_HZ[1]} Hz and at least one channel"
        raise ValueError(f"Audio: wants a rate of {wanted}, got {rate} Hz and {channels} channels")
    if count == 0 or count % channels:
        raise ValueError(f"Audio: wants samples, a multiple of {channels}, got {count}")
    samples = np.asarray(message.data, np.float32).reshape(-1, channels)
    lost = np.asarray(message.lost, np.bool_) if len(message.lost) else np.zeros(len(samples), np.bool_)
    if len(lost) != len(samples):
        raise ValueError(f"Audio: lost wants nothing or {len(samples)} entries, got {len(lost)}")
    broken = int((~np.isfinite(samples)).sum())
    if broken:
        raise ValueError(f"Audio: wants finite samples, got {broken} that are not")
    _check_range("Audio: samples", samples, LARGEST_LEVEL)
    return samples, lost


def mel_message(
    start_ns: int,
    frame_id: str,
    log_mel: NDArray[np.float32],
    std_dev: NDArray[np.float32] | None,
    sequence: SequenceConfig,
) -> MelSpectrogram:
    """Message of a log-mel spectrogram (F, T) and its spread."""
    bins, frames = log_mel.shape
    message = MelSpectrogram(
        sample_rate_hz=float(sequence.sample_rate_hz),
        hop=sequence.hop,
        window=sequence.window,
        bins=bins,
        frames=frames,
        low_hz=float(sequence.low_hz),
        high_hz=float(sequence.high_hz),
    )
    message.header.stamp = stamp_from_ns(start_ns)
    message.header.frame_id = frame_id
    message.data = array("f", np.ascontiguousarray(log_mel, np.float32).tobytes())
    if std_dev is not None:
        message.std_dev = array("f", np.ascontiguousarray(std_dev, np.float32).tobytes())
    return message


def read_mel(message: MelSpectrogram) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Log-mel (F, T) and its spread.

    Raises:
        ValueError: A length does not fit, or a value is not finite or beyond `LARGEST_LEVEL`.
    """
    shape = int(message.bins), int(message.frames)
    wanted = shape[0] * shape[1]
    if wanted < 1 or len(message.data) != wanted or len(message.std_dev) not in (0, wanted):
        raise ValueError(
            f"MelSpectrogram: {shape[0]} bins of {shape[1]} frames want {wanted} values (and as many or no std_dev), "
            f"got {len(message.data)} and {len(message.std_dev)}"
        )
    log_mel = np.asarray(message.data, np.float32).reshape(shape)
    spread = np.asarray(message.std_dev, np.float32).reshape(shape) if len(message.std_dev) else None
    if not np.isfinite(log_mel).all() or (spread is not None and not np.isfinite(spread).all()):
        raise ValueError("MelSpectrogram: wants finite values, got some that are not")
    _check_range("MelSpectrogram: values", message.data, LARGEST_LEVEL)
    _check_range("MelSpectrogram: std_dev", message.std_dev, LARGEST_LEVEL)
    return log_mel, spread


def prediction_message(
    prediction: Prediction, sequence: SequenceConfig, frame_id: str, events: list[ContactEvent]
) -> SoundPrediction:
    """Message of a prediction; `events` are the touches that sound in it. Id and times are the caller's to fill in."""
    message = SoundPrediction(predictor=prediction.predictor, model=prediction.model)
    message.header.stamp = stamp_from_ns(prediction.start_ns)
    message.header.frame_id = frame_id
    message.contacts = events
    spread = prediction.log_mel_std
    message.spectrogram = mel_message(prediction.start_ns, frame_id, prediction.log_mel, spread, sequence)
    message.audio = audio_message(prediction.start_ns, frame_id, prediction.audio, prediction.sample_rate_hz)
    return message


def read_prediction(message: SoundPrediction, sequence: SequenceConfig) -> Prediction:
    """Prediction of a message.

    Raises:
        ValueError: A part does not fit the sequence or itself.
    """
    log_mel, spread = read_mel(message.spectrogram)
    samples, _ = read_audio(message.audio)
    for name, wanted, got in (
        ("sample_rate_hz", sequence.sample_rate_hz, message.audio.sample_rate_hz),
        ("hop", sequence.hop, message.spectrogram.hop),
        ("bins", sequence.bins, message.spectrogram.bins),
    ):
        if not math.isclose(wanted, got):
            raise ValueError(f"SoundPrediction {message.id}: {name} wants {wanted}, got {got}")
    return Prediction(
        start_ns=stamp_to_ns(message.header.stamp),
        sample_rate_hz=int(message.audio.sample_rate_hz),
        audio=samples[:, 0],
        log_mel=log_mel,
        log_mel_std=np.zeros_like(log_mel) if spread is None else spread,
        contacts=tuple(read_contact(event) for event in message.contacts),
        predictor=message.predictor,
        model=message.model,
        latency_s=float(message.compute_time),
    )


def comparison_message(comparison: Comparison, frame_id: str) -> SoundComparison:
    """Message of a verdict; alpha and latency are the caller's to fill in."""
    judgement, contact = comparison.judgement, comparison.contact
    differs, watched = judgement.difference, judgement.watched
    message = SoundComparison(
        verdict=int(judgement.verdict),
        reason=judgement.reason,
        prediction_id=comparison.prediction_id,
        contact_id=contact.contact_id if contact else 0,
        expected_material=contact.material if contact else "",
        predicted_material=judgement.expected_material,
        nearest_material=judgement.nearest_material,
        likely_anomaly=judgement.anomaly,
        heard_onset=judgement.heard_onset,
        lag=judgement.lag_s,
        onsets=list(judgement.onsets_s),
        difference_low=differs.low_hz if differs else math.nan,
        difference_high=differs.high_hz if differs else math.nan,
        difference_begin=differs.begin_s if differs else math.nan,
        difference_end=differs.end_s if differs else math.nan,
        difference_level=differs.by_db if differs else math.nan,
        p_value=judgement.p_value,
        compared_with=judgement.company,
        score_names=list(judgement.scores),
        score_values=[float(value) for value in judgement.scores.values()],
        baseline_names=list(watched.baselines) if watched else [],
        baseline_p_values=[float(value) for value in watched.baselines.values()] if watched else [],
        change=watched.change if watched else 0.0,
        change_alarm=watched is not None and watched.changed,
    )
    message.header.stamp = stamp_from_ns(comparison.stamp_ns)
    message.header.frame_id = frame_id
    return message


def _check_range(what: str, values: ArrayLike, largest: float, unit: str = "") -> None:
    """Refuse values whose magnitude is too large; those that are not finite are another's to refuse."""
    found = float(np.max(np.abs(values), initial=0.0))
    if found > largest:
        raise ValueError(f"{what} want at most {largest:g} {unit}".rstrip() + f", got {found:g}")
