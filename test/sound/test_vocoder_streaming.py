"""Sound of a spectrogram that comes in pieces."""

from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.vocoder.griffin_lim import GriffinLim
from hearing_hands_ros.sound.vocoder.streaming import WaveStream, reach_of

SEQUENCE = SequenceConfig()
SHIPPED = Path(__file__).parents[2] / "models" / "vocoder"


def spectrogram(seconds=1.6):
    """Bursts of noise that die away."""
    time_s = np.arange(round(seconds * 16000)) / 16000
    wave = 0.3 * np.random.default_rng(0).normal(size=time_s.size) * (np.exp(-(time_s % 0.5) / 0.1) + 0.01)
    return log_mel(wave.astype(np.float32), SEQUENCE)


@pytest.fixture(scope="module", params=["griffin_lim", "shipped"])
def vocoder(request):
    if request.param == "griffin_lim":
        return GriffinLim(SEQUENCE)
    pytest.importorskip("torch", reason="the shipped vocoder needs PyTorch")
    from hearing_hands_ros.sound.vocoder.protocol import load_vocoder

    return load_vocoder(SHIPPED)


@pytest.fixture(scope="module")
def reach(vocoder):
    return reach_of(vocoder, SEQUENCE)


@pytest.mark.parametrize("sizes", [[16], [7, 1, 30, 2], [500]])
def test_pieces_of_any_size_join_to_what_the_whole_sounds_like(vocoder, reach, sizes):
    mel = spectrogram()
    stream = WaveStream(vocoder, SEQUENCE, reach)
    mels, waves, at = [], [], 0
    for turn in range(mel.shape[1]):
        piece = mel[:, at : at + sizes[turn % len(sizes)]]
        at += piece.shape[1]
        heard, wave = stream.push(piece)
        assert wave.shape == (heard.shape[1] * SEQUENCE.hop,)
        mels.append(heard)
        waves.append(wave)
        if at >= mel.shape[1]:
            break
    heard, wave = np.concatenate(mels, axis=1), np.concatenate(waves)
    assert heard.shape[1] == mel.shape[1] - reach
    np.testing.assert_array_equal(heard, mel[:, : heard.shape[1]])
    whole = vocoder.synthesize(mel)
    assert np.abs(wave - whole[: wave.size]).max() < 1e-3 * np.abs(whole).max()


def test_what_is_finished_sounds_to_its_end_as_the_whole_does(vocoder, reach):
    mel = spectrogram()
    stream = WaveStream(vocoder, SEQUENCE, reach)
    parts = [*(stream.push(mel[:, at : at + 30]) for at in range(0, mel.shape[1], 30)), stream.finish()]
    heard, wave = np.concatenate([part for part, _ in parts], axis=1), np.concatenate([part for _, part in parts])
    np.testing.assert_array_equal(heard, mel)
    whole = vocoder.synthesize(mel)
    assert wave.shape == whole.shape
    assert np.abs(wave - whole).max() < 1e-3 * np.abs(whole).max()
    assert stream.finish()[1].size == 0


def test_with_less_reach_than_the_vocoder_has_pieces_do_not_fit(vocoder):
    mel = spectrogram()
    stream = WaveStream(vocoder, SEQUENCE, 2)
    wave = np.concatenate([stream.push(mel[:, at : at + 16])[1] for at in range(0, mel.shape[1], 16)])
    whole = vocoder.synthesize(mel)
    assert np.abs(wave - whole[: wave.size]).max() > 1e-2 * np.abs(whole).max()


def test_what_begins_again_does_not_hear_what_was_before(vocoder, reach):
    mel = spectrogram(1.5)
    stream = WaveStream(vocoder, SEQUENCE, reach)
    first = stream.push(mel)[1]
    stream.begin()
    np.testing.assert_array_equal(stream.push(mel)[1], first)


class Endless(GriffinLim):
    """Its level is that of the whole."""

    name = "endless"

    def synthesize(self, log_mel):
        wave = super().synthesize(log_mel)
        return wave / np.abs(wave).max(axis=-1, keepdims=True)


def test_a_vocoder_without_an_end_to_its_reach_is_named():
    with pytest.raises(ValueError, match="endless: wanted a reach under 96 mel frames"):
        reach_of(Endless(SEQUENCE), SEQUENCE)
