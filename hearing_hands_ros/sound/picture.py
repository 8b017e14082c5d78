"""A picture of predicted over heard sound: two log-mel spectrograms with one time axis, and the verdicts between them.

F mel bins, T frames as everywhere. Made for five pictures a second beside other work: a colour table and array copies
make the panels, Pillow writes what little text there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
import soxr
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel, mel_from_hz

LOW, HIGH = -4.0, 0.5
"""Levels that get the darkest and the brightest colour, log10 magnitude."""

LEFT, RIGHT, TOP, STRIP, BOTTOM = 60, 14, 22, 24, 26
ROW_PX = 2
FONT_PX = 13
INK, PAPER, NOTHING = (60, 60, 60), (255, 255, 255), (225, 225, 225)
COLOURS = {
    "unknown": (120, 120, 120),
    "normal": (0, 130, 60),
    "unexpected": (215, 120, 0),
    "missing": (30, 90, 200),
    "different": (205, 20, 30),
}
AXIS_HZ = (500, 1000, 2000, 4000, 8000)
JUMP_S = 0.1
COMPUTED_AT_ONCE = 6
"""Frames in one product of matrices: from 7 on, OpenBLAS spreads it over threads, whose waiting takes half a core."""

Picture8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Mark:
    """A verdict to be shown.

    Attributes:
        at_s: When, on the same time scale as the sound.
        kind: A key of `COLOURS`.
        label: Few words.
    """

    at_s: float
    kind: str
    label: str


class MelTrack:
    """Spectrograms of some stretches of time, of which the newest seconds are looked at.

    Args:
        config: Bins and hop of the window.
        span_s: Length of the window, s.
    """

    def __init__(self, config: SequenceConfig, span_s: float) -> None:
        self._config, self._span_s = config, span_s
        self._pieces: list[tuple[float, float, NDArray[np.float32]]] = []
        self.end_s = -np.inf

    def put(self, start_s: float, hop_s: float, mel: NDArray[np.float32]) -> None:
        """Add (F, T) frames that begin at `start_s`; where they overlap older ones, the newer are shown.

        Raises:
            ValueError: `mel` has other bins than the window.
        """
        if mel.ndim != 2 or mel.shape[0] != self._config.bins:
            raise ValueError(f"MelTrack: mel wanted ({self._config.bins}, T), got {mel.shape}")
        self._pieces.append((start_s, hop_s, mel))
        self.end_s = max(self.end_s, start_s + hop_s * mel.shape[1])
        self._pieces = [p for p in self._pieces if p[0] + p[1] * p[2].shape[1] > self.end_s - 2 * self._span_s]

    def clear(self) -> None:
        """Forget everything."""
        self._pieces, self.end_s = [], -np.inf

    def window(self, end_s: float) -> NDArray[np.float32]:
        """Return (F, T) of the span before `end_s`; NaN where nothing is known."""
        frames = self._config.mel_frames(self._span_s)
        out = np.full((self._config.bins, frames), np.nan, dtype=np.float32)
        at_s = end_s - (frames - np.arange(frames) - 0.5) * self._config.hop_s  # middles of the columns
        for start_s, hop_s, mel in self._pieces:
            column = np.floor((at_s - start_s) / hop_s).astype(np.int64)
            inside = (column >= 0) & (column < mel.shape[1])
            out[:, inside] = mel[:, column[inside]]
        return out


class SoundTrack:
    """The newest seconds of one sound, at the core's rate, whatever rate it comes in.

    Frames are computed once, a few at a time as they come, so that a picture costs little.

    Args:
        config: Sample rate and lengths of the spectrogram.
        span_s: Length of the window, s.
    """

    def __init__(self, config: SequenceConfig, span_s: float) -> None:
        self._config, self._frames = config, config.mel_frames(span_s)
        # Frames whose edge lies inside the reflection of `log_mel`, so that they are to be computed with more sound.
        self._edge = -(-config.mel_padding // config.hop)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._rate_hz = 0
        self._stream: soxr.ResampleStream | None = None
        self._start_s = self._next_s = np.nan  # of the first sample, and of the one that should come in next
        self._count = 0  # samples so far, at the core's rate
        self._done = 0  # frames that are final
        self._mel: NDArray[np.float32] = np.full((self._config.bins, 0), np.nan, dtype=np.float32)  # the last of them
        self._wave: NDArray[np.float32] = np.zeros(0, dtype=np.float32)  # from the edge before `_done` on
        self._known: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    @property
    def end_s(self) -> float:
        """Time of the end of the newest sample; minus infinity before the first."""
        return self._start_s + self._count / self._config.sample_rate_hz if self._rate_hz else -np.inf

    def put(
        self, start_s: float, rate_hz: int, wave: NDArray[np.float32], lost: NDArray[np.bool_] | None = None
    ) -> None:
        """Add samples.

        Args:
            start_s: Time of the first one; one that is more than 0.1 s off its place begins anew.
            rate_hz: Their rate, > 0.
            wave: (L,) in [-1, 1]; what is not finite counts as lost.
            lost: (L,) true where it is no sound.
        """
        if rate_hz != self._rate_hz or not abs(start_s - self._next_s) <= JUMP_S:
            self.clear()
            self._rate_hz, self._start_s, self._next_s = rate_hz, start_s, start_s
            if rate_hz != self._config.sample_rate_hz:
                self._stream = soxr.ResampleStream(rate_hz, self._config.sample_rate_hz, 1, "float32", "MQ")
        self._next_s += wave.size / rate_hz
        bad = ~np.isfinite(wave) if lost is None else ~np.isfinite(wave) | lost
        clean = np.where(bad, np.float32(0.0), wave).astype(np.float32)
        out = clean if self._stream is None else self._stream.resample_chunk(clean)
        known = np.ones(out.size, dtype=np.bool_)
        if bad.any() and out.size:
            known = ~bad[np.minimum((np.arange(out.size) * (bad.size / out.size)).astype(np.int64), bad.size - 1)]
        self._count += out.size
        self._wave = np.concatenate([self._wave, out])
        self._known = np.concatenate([self._known, known])
        while self._wave.size >= (COMPUTED_AT_ONCE + 1) * self._config.hop:
            self._advance()

    def _advance(self) -> NDArray[np.float32]:
        """Make frames final that have all their sound; return (F, some) that follow and do not."""
        hop = self._config.hop
        nothing = np.full((self._config.bins, 0), np.nan, dtype=np.float32)
        whole = min(self._wave.size // hop, COMPUTED_AT_ONCE)
        if whole * hop <= self._config.mel_padding:
            return nothing
        mel = log_mel(self._wave[: whole * hop], self._config)
        mel[:, ~self._known[: whole * hop].reshape(whole, hop).all(axis=1)] = np.nan
        before = min(self._done, self._edge)  # frames that are only there for the edge
        final = max(whole - self._edge, before)
        self._mel = np.concatenate([self._mel, mel[:, before:final]], axis=1)[:, -self._frames :]
        self._done += final - before
        drop = (final - min(self._done, self._edge)) * hop
        self._wave, self._known = self._wave[drop:], self._known[drop:]
        return mel[:, final:]

    def window(self, end_s: float) -> NDArray[np.float32]:
        """Return (F, T) of the span before `end_s`, to within a frame; NaN where nothing was heard."""
        out = np.full((self._config.bins, self._frames), np.nan, dtype=np.float32)
        if not self._rate_hz:
            return out
        newest = self._advance()
        mel = np.concatenate([self._mel, newest], axis=1)
        mel_end_s = self._start_s + (self._done + newest.shape[1]) * self._config.hop_s
        # Column after the newest frame; sound that fills no frame yet leaves no gap.
        last = self._frames - int(np.floor((end_s - mel_end_s) / self._config.hop_s + 1e-3))
        begin, end = max(last - mel.shape[1], 0), min(last, self._frames)
        if begin < end:
            out[:, begin:end] = mel[:, begin - last + mel.shape[1] : end - last + mel.shape[1]]
        return out


class SpectrogramPicture:
    """Draws pictures of one size.

    Args:
        frames: T of both spectrograms.
        config: Bins, edges and hop.
        axis_start_s: What the time axis says at the left edge, s.
        column_px: Width of a frame, pixels.
        low: Level of the darkest colour, log10 magnitude.
        high: Level of the brightest colour.
    """

    def __init__(
        self,
        frames: int,
        config: SequenceConfig,
        axis_start_s: float,
        column_px: int = 3,
        low: float = LOW,
        high: float = HIGH,
    ) -> None:
        self._frames, self._config, self._column_px = frames, config, column_px
        self._low, self._high = low, high
        self._panel_h, self._panel_w = config.bins * ROW_PX, frames * column_px
        self._tops = (TOP, TOP + self._panel_h + STRIP)
        self.height = TOP + 2 * self._panel_h + STRIP + BOTTOM
        self.width = LEFT + self._panel_w + RIGHT
        table = colormaps["magma"](np.linspace(0.0, 1.0, 255))[:, :3]
        self._table = np.concatenate([np.round(255 * table).astype(np.uint8), np.array([NOTHING], dtype=np.uint8)])
        self._paper = self._background(axis_start_s)

    def draw(
        self,
        predicted: NDArray[np.float32],
        heard: NDArray[np.float32],
        marks: Sequence[Mark] = (),
        start_s: float = 0.0,
        title: str = "",
    ) -> Picture8:
        """Draw one picture.

        Args:
            predicted: (F, T) log10 magnitude; NaN where nothing is known.
            heard: (F, T) likewise.
            marks: Verdicts; those outside are left out.
            start_s: Time of the left edge, on the scale of the marks.
            title: A few words at the upper right.

        Returns:
            (height, width, 3) RGB.

        Raises:
            ValueError: A spectrogram has another shape than the picture was made for.
        """
        out = self._paper.copy()
        for name, mel, top in zip(("predicted", "heard"), (predicted, heard), self._tops, strict=True):
            if mel.shape != (self._config.bins, self._frames):
                raise ValueError(
                    f"SpectrogramPicture: {name} wanted ({self._config.bins}, {self._frames}), got {mel.shape}"
                )
            out[top : top + self._panel_h, LEFT : LEFT + self._panel_w] = self._panel(mel)
        strip = TOP + self._panel_h
        places = [(LEFT + round((m.at_s - start_s) / self._config.hop_s * self._column_px), m) for m in marks]
        shown = sorted((p for p in places if LEFT <= p[0] < LEFT + self._panel_w), key=lambda p: p[0])
        for x, mark in shown:
            out[TOP : TOP + 2 * self._panel_h + STRIP, x : x + 2] = COLOURS[mark.kind]
        free_from = LEFT
        for x, mark in shown:
            label = _text(mark.label, COLOURS[mark.kind])
            begin = min(max(x + 5, free_from), self.width - label.shape[1])
            if begin >= free_from:  # else there is no room: the line alone is shown
                _paste(out, label, strip + 4, begin)
                free_from = begin + label.shape[1] + 6
        if title:
            words = _text(title, INK)
            _paste(out, words, 4, self.width - RIGHT - words.shape[1])
        return out

    def _panel(self, mel: NDArray[np.float32]) -> Picture8:
        unknown = np.isnan(mel)
        share = (mel - self._low) * (254.0 / (self._high - self._low))
        index = np.clip(np.where(unknown, 0.0, share), 0.0, 254.0).astype(np.uint8)
        index[unknown] = 255
        pixels = np.repeat(self._table[index[::-1]], self._column_px, axis=1)  # low frequencies at the bottom
        panel: Picture8 = np.repeat(pixels, ROW_PX, axis=0)
        return panel

    def _background(self, axis_start_s: float) -> Picture8:
        """Paper with everything that is the same in every picture."""
        image = Image.new("RGB", (self.width, self.height), PAPER)
        draw = ImageDraw.Draw(image)
        font = picture_font()
        low, high = (float(mel_from_hz(hz)) for hz in (self._config.low_hz, self._config.high_hz))
        for name, top in zip(("predicted", "heard"), self._tops, strict=True):
            draw.text((LEFT, top - 18 if name == "predicted" else top + self._panel_h + 5), name, INK, font)
            for hz in AXIS_HZ:
                if not self._config.low_hz <= hz <= self._config.high_hz:
                    continue
                y = top + self._panel_h * (1.0 - (float(mel_from_hz(hz)) - low) / (high - low))
                draw.line((LEFT - 4, y, LEFT - 1, y), INK)
                label = f"{hz / 1000:g} kHz"
                draw.text((LEFT - 7 - draw.textlength(label, font), y - 8), label, INK, font)
        second_px = self._column_px / self._config.hop_s
        step_s = next((s for s in (1, 2, 5, 10, 30, 60) if s * second_px >= 50), 300)
        bottom = self._tops[1] + self._panel_h
        axis_end_s = axis_start_s + self._frames * self._config.hop_s
        for second in np.arange(np.ceil(axis_start_s / step_s) * step_s, axis_end_s + 1e-6, step_s):
            x = LEFT + (second - axis_start_s) * second_px
            draw.line((x, bottom, x, bottom + 4), INK)
            label = f"{second:g} s"
            width = draw.textlength(label, font)
            # "heard" stands at the left of the same line.
            if LEFT + 50 < x < self.width - RIGHT + 2:
                draw.text((min(x - width / 2, self.width - width - 2), bottom + 6), label, INK, font)
        paper: Picture8 = np.array(image, dtype=np.uint8)
        return paper


def save_png(
    path: Path | str,
    predicted: NDArray[np.float32],
    heard: NDArray[np.float32],
    marks: Sequence[Mark] = (),
    start_s: float = 0.0,
    title: str = "",
    config: SequenceConfig | None = None,
) -> None:
    """Write a picture of two whole spectrograms.

    Args:
        path: File to write; its folder exists.
        predicted: (F, T) log10 magnitude; NaN where nothing is known.
        heard: (F, T) likewise.
        marks: Verdicts, on the time scale of `start_s`.
        start_s: Time of frame 0; the axis begins with it.
        title: A few words at the upper right.
        config: Bins, edges and hop; the published ones by default.

    Raises:
        ValueError: The shapes differ or do not fit `config`.
    """
    config = config or SequenceConfig()
    frames = predicted.shape[-1]
    column_px = max(1, min(3, 1500 // max(frames, 1)))
    picture = SpectrogramPicture(frames, config, start_s, column_px)
    Image.fromarray(picture.draw(predicted, heard, marks, start_s, title)).save(path)


@lru_cache(maxsize=1)
def picture_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all pictures."""
    try:
        return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), FONT_PX)
    except OSError:  # some distributions move matplotlib's fonts
        return ImageFont.load_default()


@lru_cache(maxsize=256)
def _text(text: str, colour: tuple[int, int, int]) -> Picture8:
    """Return (h, w, 3) of a text on paper; the same words come in many pictures."""
    left, _, right, _ = picture_font().getbbox(text)
    image = Image.new("RGB", (max(int(right - left) + 2, 1), FONT_PX + 4), PAPER)
    ImageDraw.Draw(image).text((-left + 1, 0), text, colour, picture_font())
    patch: Picture8 = np.asarray(image, dtype=np.uint8)
    return patch


def _paste(out: Picture8, patch: Picture8, y: int, x: int) -> None:
    y, x = max(y, 0), max(x, 0)
    h, w = min(patch.shape[0], out.shape[0] - y), min(patch.shape[1], out.shape[1] - x)
    out[y : y + h, x : x + w] = patch[:h, :w]
