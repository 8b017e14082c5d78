"""A vocoder whose spectrogram comes in pieces: waves that join as if it had come whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.vocoder.protocol import Vocoder

Array = NDArray[np.float32]

INAUDIBLE = 1e-4  # of the loudest sample: -80 dB
_TRIALS, _FRAMES, _EVERY_S = 8, 96, 0.5


def reach_of(vocoder: Vocoder, sequence: SequenceConfig) -> int:
    """How far from where a spectrogram is cut a vocoder's wave differs: measured, so it holds for any vocoder.

    Bursts of noise are cut at many places, before and after.

    Args:
        vocoder: Of any kind.
        sequence: Its mel grid.

    Returns:
        Mel frames, at least 1, beyond which a cut is not heard (`INAUDIBLE`).

    Raises:
        ValueError: The vocoder reaches further than 1.5 s.
    """
    rng = np.random.default_rng(0)
    time_s = np.arange(2 * _FRAMES * sequence.hop) / sequence.sample_rate_hz
    since_s = (time_s + np.arange(_TRIALS)[:, None] / _TRIALS * _EVERY_S) % _EVERY_S
    waves = rng.normal(0.0, 0.2, since_s.shape) * (np.exp(-since_s / 0.1) + 0.01)
    mels = np.stack([log_mel(wave.astype(np.float32), sequence) for wave in waves])
    whole = vocoder.synthesize(mels)
    before, after = np.split(whole, 2, axis=1)
    apart = np.maximum(
        np.abs(vocoder.synthesize(mels[..., :_FRAMES]) - before)[:, ::-1],
        np.abs(vocoder.synthesize(mels[..., _FRAMES:]) - after),
    ).max(axis=0)
    heard = np.flatnonzero(apart > INAUDIBLE * np.abs(whole).max()) // sequence.hop
    reach = int(heard.max(initial=0)) + 1
    if reach == _FRAMES:
        raise ValueError(f"reach_of: {vocoder.name}: wanted a reach under {_FRAMES} mel frames, got one beyond")
    return reach


class WaveStream:
    """Gives sound out as soon as no spectrogram that follows would change it.

    Each time the vocoder runs over what is new and `reach` frames on both sides, so the pieces join without a fade.

    Args:
        vocoder: Of any kind.
        sequence: Its mel grid.
        reach: In mel frames; measured if None.
    """

    def __init__(self, vocoder: Vocoder, sequence: SequenceConfig, reach: int | None = None) -> None:
        self.vocoder, self._sequence = vocoder, sequence
        self.reach = reach_of(vocoder, sequence) if reach is None else reach
        self.begin()

    def begin(self) -> None:
        """Forget everything: what comes next follows silence."""
        self._mel = np.zeros((self._sequence.bins, 0), np.float32)
        self._before = 0  # frames of `_mel` whose sound was given out

    def push(self, mel: Array) -> tuple[Array, Array]:
        """Take the next frames.

        Args:
            mel: (F, T) log-mel, T at least 0.

        Returns:
            (F, n) the oldest frames not given out before, and their sound (n * hop,); n may be 0.
        """
        self._mel = np.concatenate([self._mel, mel], axis=1)
        return self._heard_until(self._mel.shape[1] - self.reach)

    def finish(self) -> tuple[Array, Array]:
        """Sound of the frames that are left when none follows, as `push` gives it; what comes then follows silence."""
        heard = self._heard_until(self._mel.shape[1])
        self.begin()
        return heard

    def _heard_until(self, end: int) -> tuple[Array, Array]:
        """Frames of `_mel` not given out before, up to frame `end`, and their sound."""
        begin, hop = self._before, self._sequence.hop
        if end <= begin:
            return self._mel[:, :0], np.zeros(0, np.float32)
        wave = self.vocoder.synthesize(self._mel)[begin * hop : end * hop]
        heard = self._mel[:, begin:end]
        dropped = max(end - self.reach, 0)
        self._mel, self._before = self._mel[:, dropped:].copy(), end - dropped
        return heard, wave
