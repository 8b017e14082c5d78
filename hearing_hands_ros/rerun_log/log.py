"""Writes a Rerun recording while a replay goes on; nothing but the file grows."""

from __future__ import annotations

import io
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from uuid import uuid4

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from hearing_hands_ros.compare.comparator import Comparison, frame_times_ns
from hearing_hands_ros.compare.judge import Judgement
from hearing_hands_ros.compare.scoring.picture import SEQUENCE, picture
from hearing_hands_ros.compare.scoring.touch import HeardTouch
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.libraries import optional
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.replay.recording import Moment
from hearing_hands_ros.replay.replay import Replayed
from hearing_hands_ros.replay.result import BEFORE_S
from hearing_hands_ros.rerun_log.blueprint import TIMELINE, blueprint
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.hand_shape import bones
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.picture import COLOURS
from hearing_hands_ros.sound.touch_picture import touch_picture

KEYPOINT_RADIUS_M, TOUCH_RADIUS_M, NORMAL_M = 0.004, 0.012, 0.08
HAND_COLOURS: Final = ((70, 140, 255), (255, 150, 60))


class RerunLog:
    """A Rerun recording of one replay; a context manager, and the file is there only after it has ended well.

    Args:
        path: The .rrd file; an older one is replaced.
        bundle: The scene that is touched, registered.
        alpha: Rate of false alarms, drawn under the p-values.

    Raises:
        ImportError: Rerun is not installed.
        ValueError: `path` is not an .rrd file in a folder that is there.
    """

    def __init__(self, path: Path, bundle: SceneBundle, alpha: float) -> None:
        path = path.expanduser()
        if path.suffix != ".rrd" or not path.parent.is_dir():
            raise ValueError(f"Rerun recording: wanted an .rrd file in a folder that is there, got '{path}'")
        self._rerun: Any = optional("rerun", "Rerun recording", "inspect")
        self._path, self._draft = path, path.with_name(f".{path.name}.part")
        self._seen_ns = -1
        self._stream = self._rerun.RecordingStream("hearing_hands_ros", recording_id=uuid4())
        self._stream.set_log_time_enabled(False)
        self._stream.set_log_tick_enabled(False)
        self._stream.save(self._draft, default_blueprint=blueprint(bundle))
        self._stream.send_recording_name(path.stem)
        self._put_scene(bundle)
        self._put_styles(alpha)

    def __enter__(self) -> RerunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()
        self._stream.disconnect()
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink(missing_ok=True)

    def moment(self, moment: Moment) -> None:
        """Take what the recording has of a time: the hands."""
        for seen in moment.hands:
            self._put_hands(seen.motion)

    def verdict(self, replayed: Replayed) -> None:
        """Take a verdict: where the touch was, what was predicted, what was heard, what is said of it."""
        comparison = replayed.comparison
        judgement = comparison.judgement
        self._put_verdict(comparison)
        if comparison.contact is not None:
            self._put_contact(comparison.contact, judgement.verdict)
        if judgement.touch is not None:
            self._put_sounds(judgement.touch)
            self._put_picture(judgement, judgement.touch)

    def _at(self, stamp_ns: int) -> None:
        self._stream.set_time(TIMELINE, timestamp=np.datetime64(stamp_ns, "ns"))

    def _put_scene(self, bundle: SceneBundle) -> None:
        splats = bundle.splats.scaled(bundle.scale)
        colours = np.concatenate([splats.rgb, splats.opacities[:, None]], axis=1)
        drawn = self._rerun.GaussianSplats3D(
            splats.means,
            scales=splats.scales,
            quaternions=np.roll(splats.quats_wxyz, -1, axis=1),
            colors=np.round(255 * colours).astype(np.uint8),
        )
        self._stream.log("scene/splats", drawn, static=True)

    def _put_styles(self, alpha: float) -> None:
        """What does not change with time: how hands and p-values are drawn."""
        rerun = self._rerun
        for number, hand in enumerate(HANDS):
            described = rerun.ClassDescription(
                info=(0, hand, HAND_COLOURS[number]), keypoint_connections=bones().tolist()
            )
            points = rerun.Points3D.from_fields(
                class_ids=[0],
                keypoint_ids=range(KEYPOINTS),
                radii=[KEYPOINT_RADIUS_M],
                colors=[HAND_COLOURS[number]],
                show_labels=False,
            )
            self._stream.log(f"scene/hands/{hand}", rerun.AnnotationContext([described]), points, static=True)
        self._stream.log("p_value/of_touch", rerun.SeriesPoints(markers="circle", marker_sizes=4), static=True)
        self._stream.log("p_value/alpha", rerun.SeriesLines(colors=COLOURS["different"]), static=True)
        self._alpha = alpha

    def _put_hands(self, motion: HandMotion) -> None:
        """Frames that no window before has shown; where a hand was not seen, none is drawn."""
        stamps_ns = np.array(frame_times_ns(motion), np.int64)
        new = stamps_ns > self._seen_ns
        if not new.any():
            return
        self._seen_ns = int(stamps_ns[-1])
        times = self._rerun.TimeColumn(TIMELINE, timestamp=stamps_ns[new].astype("datetime64[ns]"))
        for number, hand in enumerate(HANDS):
            valid = motion.valid[new, number]
            points = motion.keypoints[new, number][valid].reshape(-1, 3)
            columns = self._rerun.Points3D.columns(positions=points).partition(lengths=valid * KEYPOINTS)
            self._stream.send_columns(f"scene/hands/{hand}", [times], columns)

    def _put_contact(self, contact: Contact, verdict: Verdict) -> None:
        colour = COLOURS[verdict.name.lower()]
        self._at(contact.start_ns)
        self._stream.log(
            "scene/touch",
            self._rerun.Points3D(
                [contact.position_m],
                radii=[TOUCH_RADIUS_M],
                colors=[colour],
                labels=[f"{verdict.name}: {_kind(contact)}"],
            ),
        )
        arrow = NORMAL_M * np.array(contact.normal)
        self._stream.log(
            "scene/touch/normal", self._rerun.Arrows3D(origins=[contact.position_m], vectors=[arrow], colors=[colour])
        )

    def _put_sounds(self, touch: HeardTouch) -> None:
        """Both sounds and their spectrograms, from `BEFORE_S` before the touch to the end of what was heard of it."""
        rate_hz = SEQUENCE.sample_rate_hz
        heard = touch.samples[round((touch.lead_s - BEFORE_S) * rate_hz) : round(touch.end_s * rate_hz)]
        begin_ns = touch.contact.start_ns - round(BEFORE_S * NANOSECONDS)
        into_s = (begin_ns - touch.prediction.start_ns) / NANOSECONDS
        predicted = _cut(touch.prediction.audio[None], round(into_s * rate_hz), len(heard), 0.0)[0]
        mel = log_mel(heard, SEQUENCE)
        expected = _cut(touch.prediction.log_mel, round(into_s / SEQUENCE.hop_s), mel.shape[1], math.nan)
        self._at(begin_ns)
        for name, wave, levels in (("heard", heard, mel), ("predicted", predicted, expected)):
            sound = self._rerun.AssetAudio(contents=_flac(wave, rate_hz), media_type="audio/flac")
            self._stream.log(f"{name}/audio", sound)
            tensor = self._rerun.Tensor(levels.astype(np.float32), dim_names=("mel", "frame"))
            self._stream.log(f"{name}/spectrogram", tensor)

    def _put_picture(self, judgement: Judgement, touch: HeardTouch) -> None:
        """The picture that the running graph publishes."""
        title = f"{judgement.verdict.name}: {_kind(touch.contact)}"
        differs = judgement.difference if judgement.verdict != Verdict.NORMAL else None
        pixels = touch_picture(picture(touch), judgement.verdict.name.lower(), title, differs)
        self._at(touch.contact.start_ns)
        self._stream.log("picture", self._rerun.EncodedImage(contents=_png(pixels), media_type="image/png"))

    def _put_verdict(self, comparison: Comparison) -> None:
        rerun, judgement = self._rerun, comparison.judgement
        self._at(comparison.stamp_ns)
        what = "sound" if comparison.contact is None else _kind(comparison.contact)
        odd = judgement.verdict not in (Verdict.NORMAL, Verdict.UNKNOWN)
        self._stream.log(
            "verdicts",
            rerun.TextLog(
                f"{judgement.verdict.name} {what}: {judgement.reason}",
                level=rerun.TextLogLevel.WARN if odd else rerun.TextLogLevel.INFO,
                color=COLOURS[judgement.verdict.name.lower()],
            ),
        )
        if math.isfinite(judgement.p_value):
            colour = rerun.SeriesPoints.from_fields(colors=[COLOURS[judgement.verdict.name.lower()]])
            self._stream.log("p_value/of_touch", rerun.Scalars(judgement.p_value), colour)
            self._stream.log("p_value/alpha", rerun.Scalars(self._alpha))


def _kind(contact: Contact) -> str:
    return f"{contact.kind} on {contact.material or 'unknown material'}"


def _cut(values: NDArray[np.float32], begin: int, length: int, beyond: float) -> NDArray[np.float32]:
    """(R, length) of the columns from `begin`, which may lie before the first; `beyond` where there are none."""
    at = np.arange(begin, begin + length)
    inside = (at >= 0) & (at < values.shape[1])
    out = np.full((len(values), length), beyond, np.float32)
    out[:, inside] = values[:, at[inside]]
    return out


def _flac(wave: NDArray[np.float32], rate_hz: int) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.clip(wave, -1.0, 1.0), rate_hz, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
