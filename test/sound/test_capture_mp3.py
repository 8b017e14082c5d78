"""MP3 that comes in pieces."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from hearing_hands_ros.sound.capture.mp3 import Mp3Decoder, split_frames

if "MP3" not in soundfile.available_formats():
    pytest.skip("this libsndfile has no MP3", allow_module_level=True)


def mp3(rate: int, channels: int) -> bytes:
    time_s = np.arange(2 * rate) / rate
    wave = 0.3 * np.sin(2 * np.pi * 500 * time_s) + 0.1 * np.random.default_rng(0).standard_normal(time_s.size)
    file = io.BytesIO()
    soundfile.write(file, np.repeat(wave[:, None], channels, 1), rate, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (48_000, 1)])
@pytest.mark.parametrize("piece", [0, 333])
def test_pieces_give_what_the_whole_gives(rate: int, channels: int, piece: int) -> None:
    data = mp3(rate, channels)
    frames, rest = split_frames(data)
    assert rest == b""
    pieces = [data[i : i + piece] for i in range(0, len(data), piece)] if piece else [frame for frame, _ in frames]
    decoder, heard = Mp3Decoder(), []
    for part in pieces:
        try:
            wave, got_rate, got_channels = decoder.decode(part)
        except ValueError as error:
            assert "to begin with" in str(error)
            continue
        assert (got_rate, got_channels) == (rate, channels)
        heard.append(wave.reshape(-1, channels))
    streamed = np.concatenate(heard)[:, 0]
    whole = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0][:, 0]
    middle = whole[rate // 2 : rate]
    at = int(np.argmax(np.correlate(streamed, middle, "valid")))
    assert np.abs(streamed[at : at + middle.size] - middle).max() < 1e-5


def test_what_is_no_mp3_is_refused() -> None:
    with pytest.raises(ValueError, match=r"wanted two MP3 frames to begin with, got 0 in 100 bytes"):
        Mp3Decoder().decode(bytes(100))
