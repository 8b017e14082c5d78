from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.audio_file import read_audio
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.vocoder.error import multi_resolution_error
from hearing_hands_ros.sound.vocoder.griffin_lim import GriffinLim
from hearing_hands_ros.sound.vocoder.protocol import Vocoder, load_vocoder

torch = pytest.importorskip("torch")
from hearing_hands_ros.model.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models" / "vocoder"
HELD_OUT = ROOT / "demo" / "held_out"
C = SequenceConfig()


@pytest.fixture(scope="module", params=["griffin_lim", str(SHIPPED)], ids=["griffin_lim", "shipped"])
def vocoder(request: pytest.FixtureRequest) -> Vocoder:
    return load_vocoder(request.param)


def recording(number: int) -> np.ndarray:
    """A touch that nothing was trained on, in whole hops."""
    lines = yaml.safe_load((HELD_OUT / "bank.yaml").read_text())["recordings"]
    wave = read_audio(HELD_OUT / lines[number]["file"], C.sample_rate_hz)
    return wave[: wave.size // C.hop * C.hop]


def touches(seconds: float) -> np.ndarray:
    """Recorded touches in a row over a quiet room."""
    wave = np.random.default_rng(0).normal(0.0, 1e-3, C.samples(seconds)).astype(np.float32)
    for i, begin in enumerate(range(0, wave.size - 8000, 9000)):
        touch = recording(7 * i)[:8000]
        wave[begin : begin + touch.size] += touch
    return wave


class TestEveryVocoder:
    def test_says_what_it_is(self, vocoder):
        assert vocoder.name
        assert vocoder.licence

    @pytest.mark.parametrize("frames", [1, 2, 31, 250])
    def test_gives_a_hop_of_samples_for_every_frame(self, vocoder, frames):
        wave = vocoder.synthesize(np.full((80, frames), -2.0, np.float32))
        assert wave.shape == (frames * C.hop,)
        assert wave.dtype == np.float32
        assert np.isfinite(wave).all()

    def test_a_batch_gives_what_its_items_give(self, vocoder):
        mels = np.stack([log_mel(touches(1.0), C), log_mel(touches(2.0)[16000:], C)])
        together = vocoder.synthesize(mels)
        assert together.shape == (2, mels.shape[2] * C.hop)
        for mel, wave in zip(mels, together, strict=True):
            # Not to the last digit: the search for a phase makes more of how a product of matrices was rounded.
            np.testing.assert_allclose(vocoder.synthesize(mel), wave, rtol=0.0, atol=0.02 * wave.std())

    def test_gives_the_same_wave_every_time(self, vocoder):
        mel = log_mel(touches(1.0), C)
        np.testing.assert_array_equal(vocoder.synthesize(mel), vocoder.synthesize(mel))

    def test_silence_gives_silence(self, vocoder):
        assert np.abs(vocoder.synthesize(np.full((80, 62), -5.0, np.float32))).max() < 1e-6

    def test_silence_before_a_touch_stays_quiet(self, vocoder):
        wave = np.zeros(16000, np.float32)
        touch = recording(0)[:6000]
        wave[9600 : 9600 + touch.size] = touch
        made = vocoder.synthesize(log_mel(wave, C))
        assert np.abs(made[: 9600 - 2 * C.window]).max() < 1e-3 * np.abs(made).max()

    @pytest.mark.parametrize("value", [1e9, -1e9, np.inf, -np.inf])
    def test_what_no_sound_can_have_is_clipped(self, vocoder, value):
        mel = log_mel(touches(1.0), C)
        mel[:, 20:30] = value
        wave = vocoder.synthesize(mel)
        assert np.isfinite(wave).all()

    def test_nan_is_refused(self, vocoder):
        mel = log_mel(touches(1.0), C)
        mel[3, 4] = np.nan
        with pytest.raises(ValueError, match=r"log_mel wanted numbers, got 1 NaN of 4960"):
            vocoder.synthesize(mel)

    @pytest.mark.parametrize("shape", [(64, 10), (80,), (80, 0), (0, 80, 10), (1, 1, 80, 10)])
    def test_another_shape_is_refused(self, vocoder, shape):
        with pytest.raises(ValueError, match=r"log_mel wanted shape \(B, 80, T\)"):
            vocoder.synthesize(np.zeros(shape, np.float32))

    def test_the_level_is_that_of_the_spectrogram(self, vocoder):
        wave = recording(2)
        made = vocoder.synthesize(log_mel(wave, C))
        assert 20 * np.log10(made.std() / wave.std()) == pytest.approx(0.0, abs=1.5)

    def test_a_touch_begins_when_the_spectrogram_says(self, vocoder):
        wave = np.zeros(16000, np.float32)
        wave[8000:8160] = np.random.default_rng(1).normal(0.0, 0.3, 160)
        made = vocoder.synthesize(log_mel(wave, C))
        assert abs(int(np.argmax(np.abs(made))) - 8080) < C.samples(0.010)

    def test_two_windows_agree_where_they_overlap(self, vocoder):
        mel = log_mel(touches(4.0), C)
        first, second = vocoder.synthesize(mel[:, :156]), vocoder.synthesize(mel[:, 94:])
        overlap = first.size - 94 * C.hop
        seam = slice(overlap // 2 - 512, overlap // 2 + 512)
        difference = (first[94 * C.hop :][seam] - second[seam]).std()
        assert difference < 0.05 * first.std()


def test_the_shipped_vocoder_is_nearer_the_truth_than_griffin_lim():
    errors = {}
    for vocoder in (load_vocoder(SHIPPED), load_vocoder("griffin_lim")):
        waves = [recording(number) for number in range(0, 80, 8)]
        made = [vocoder.synthesize(log_mel(wave, C)) for wave in waves]
        errors[vocoder.name] = np.mean([multi_resolution_error(m, w) for m, w in zip(made, waves, strict=True)])
    shipped, search = errors.values()
    assert shipped < search
    assert shipped < 1.2


def test_the_shipped_vocoder_is_small_and_says_its_licence():
    assert (SHIPPED / "model.safetensors").stat().st_size < 6e6
    assert load_vocoder(SHIPPED).licence == "CC-BY-SA-3.0"
    assert "CC BY-SA 3.0" in (SHIPPED / "README.md").read_text()


class TestBadCheckpoints:
    @pytest.fixture
    def folder(self, tmp_path):
        return Path(shutil.copytree(SHIPPED, tmp_path / "vocoder"))

    def rewrite(self, folder, kind="vocoder", drop=(), tensors=None, **config):
        """The shipped checkpoint with something changed and its hash right."""
        shipped = load_checkpoint(SHIPPED, "vocoder")
        kept = {k: v for k, v in {**shipped.config, **config}.items() if k not in ("format", "kind", "sha256", *drop)}
        save_checkpoint(folder, kind, kept, dict(shipped.tensors) if tensors is None else tensors)

    def test_no_such_folder(self):
        with pytest.raises(FileNotFoundError, match="wanted 'griffin_lim' or a checkpoint's folder, got 'griffin'"):
            load_vocoder("griffin")

    def test_damaged_weights(self, folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
        with pytest.raises(ValueError, match="sha256 wanted"):
            load_vocoder(folder)

    def test_another_kind(self, folder):
        self.rewrite(folder, kind="compact")
        with pytest.raises(ValueError, match="kind wanted 'vocoder' or 'published', got 'compact'"):
            load_vocoder(folder)

    def test_a_network_that_the_weights_do_not_fit(self, folder):
        network = {**load_checkpoint(SHIPPED, "vocoder").config["network"], "channels": 64}
        self.rewrite(folder, network=network)
        with pytest.raises(ValueError, match=r"tensor 'embed.weight' wanted shape \(64, 80, 7\)"):
            load_vocoder(folder)

    @pytest.mark.parametrize(
        ("network", "message"),
        [
            ({"kernel": 4}, "kernel wanted an odd number, got 4"),
            ({"channels": "many"}, "channels wanted an integer of at least 1, got 'many'"),
            ({"layers": 3}, "layers"),
        ],
    )
    def test_a_network_that_cannot_be(self, folder, network, message):
        self.rewrite(folder, network=network)
        with pytest.raises(ValueError, match=message):
            load_vocoder(folder)

    def test_a_missing_tensor(self, folder):
        tensors = dict(load_checkpoint(SHIPPED, "vocoder").tensors)
        del tensors["head.bias"]
        self.rewrite(folder, tensors=tensors)
        with pytest.raises(ValueError, match=r"tensor 'head.bias' wanted shape \(1026,\), got none"):
            load_vocoder(folder)

    def test_no_name(self, folder):
        self.rewrite(folder, drop=("name",))
        with pytest.raises(ValueError, match="name wanted text, got None"):
            load_vocoder(folder)


@pytest.fixture(scope="module")
def bigvgan(small_published, tmp_path_factory):
    """Out of a checkpoint of the published model, small and with random weights."""
    return load_vocoder(small_published(tmp_path_factory.mktemp("model") / "tiny"))


class TestPublished:
    def test_is_found_by_the_folder_of_the_model(self, bigvgan):
        assert (bigvgan.name, bigvgan.licence) == ("bigvgan", "CC0-1.0")
        mels = np.stack([log_mel(touches(1.0), C), log_mel(touches(2.0)[16000:], C)])
        waves = bigvgan.synthesize(mels)
        assert waves.shape == (2, mels.shape[2] * C.hop)
        assert waves.std() > 0.0
        np.testing.assert_allclose(bigvgan.synthesize(mels[1]), waves[1], rtol=0.0, atol=1e-3 * waves.std())

    def test_takes_what_every_vocoder_takes(self, bigvgan):
        mel = log_mel(touches(1.0), C)
        mel[:, 20:30] = np.inf
        assert np.isfinite(bigvgan.synthesize(mel)).all()
        mel[3, 4] = np.nan
        with pytest.raises(ValueError, match=r"log_mel wanted numbers, got 1 NaN of 4960"):
            bigvgan.synthesize(mel)
        with pytest.raises(ValueError, match=r"log_mel wanted shape \(B, 80, T\)"):
            bigvgan.synthesize(mel[:64])


class TestMultiResolutionError:
    def test_is_zero_for_the_same_sound(self):
        wave = recording(1)
        assert multi_resolution_error(wave, wave) == 0.0

    def test_half_the_level_is_half_and_a_logarithm(self):
        wave = np.random.default_rng(0).normal(0.0, 0.3, 8192).astype(np.float32)
        assert multi_resolution_error(wave / 2, wave) == pytest.approx(0.5 + np.log(2.0), abs=1e-3)

    def test_does_not_hear_polarity(self):
        wave = recording(1)
        assert multi_resolution_error(-wave, wave) < 1e-6

    def test_unequal_lengths_and_silence_are_refused(self):
        wave = recording(1)
        with pytest.raises(ValueError, match="two waves of one length"):
            multi_resolution_error(wave[:-1], wave)
        with pytest.raises(ValueError, match="wanted sound to compare with"):
            multi_resolution_error(wave, np.zeros_like(wave))


@pytest.mark.parametrize(
    ("options", "message"), [({"rounds": 0}, "rounds wanted at least 1"), ({"momentum": 2.0}, "momentum wanted 0 to 1")]
)
def test_griffin_lim_with_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        GriffinLim(C, **options)


def test_griffin_lim_finds_the_pitch_of_a_tone():
    time_s = np.arange(16000) / C.sample_rate_hz
    made = GriffinLim(C).synthesize(log_mel((0.5 * np.sin(2 * np.pi * 500.0 * time_s)).astype(np.float32), C))
    spectrum = np.abs(np.fft.rfft(made * np.hanning(made.size)))
    assert np.fft.rfftfreq(made.size, 1 / C.sample_rate_hz)[spectrum.argmax()] == pytest.approx(500.0, abs=15.0)
