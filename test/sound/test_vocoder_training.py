from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from hearing_hands_ros.sequence import SequenceConfig  # noqa: E402
from hearing_hands_ros.sound.mel import log_mel  # noqa: E402
from hearing_hands_ros.sound.vocoder.istft_network import IstftConfig  # noqa: E402
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder  # noqa: E402
from hearing_hands_ros.train.vocoder import VocoderTraining, main  # noqa: E402
from hearing_hands_ros.train.vocoder_losses import MelLoss, spectral_loss  # noqa: E402
from hearing_hands_ros.train.vocoder_sounds import TouchSounds, read_bank  # noqa: E402

BANK = Path(__file__).parents[2] / "demo" / "bank"
C = SequenceConfig()
TINY = IstftConfig(channels=16, blocks=1, expansion=2, kernel=3, rounds=1)


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    """Four recordings of the demo's bank."""
    folder = tmp_path_factory.mktemp("bank")
    document = yaml.safe_load((BANK / "bank.yaml").read_text())
    document["recordings"] = document["recordings"][:40:10]
    for line in document["recordings"]:
        (folder / line["file"]).parent.mkdir(exist_ok=True)
        shutil.copy(BANK / line["file"], folder / line["file"])
    (folder / "bank.yaml").write_text(yaml.safe_dump(document))
    return folder


class TestTraining:
    def test_goes_on_with_the_same_numbers_after_a_kill(self, bank, tmp_path):
        whole = VocoderTraining(tmp_path / "whole", bank, 4, TINY, batch=2)
        losses = [whole.advance() for _ in range(4)]
        first = VocoderTraining(tmp_path / "halves", bank, 4, TINY, batch=2)
        halves = [first.advance(), first.advance()]
        first.save()
        second = VocoderTraining(tmp_path / "halves", bank, 4, TINY, batch=2)
        assert second.step == 2
        assert [*halves, second.advance(), second.advance()] == losses

    def test_makes_the_error_smaller(self, bank, tmp_path):
        training = VocoderTraining(tmp_path, bank, 40, TINY, batch=2)
        before = training.watch()
        for _ in range(25):
            training.advance()
        assert training.watch() < before - 0.05

    def test_the_checkpoint_vocodes_and_the_rate_falls_to_its_end(self, bank, tmp_path):
        training = VocoderTraining(tmp_path, bank, 200, TINY, batch=2)
        rates = []
        for training.step in (0, 100, 199):
            rates.append(training.rate())
        training.save()
        assert rates[0] < rates[2] < rates[1]
        wave = load_vocoder(tmp_path / "checkpoint").synthesize(np.full((80, 10), -2.0, np.float32))
        assert wave.shape == (2560,)

    def test_a_state_of_another_network_is_refused(self, bank, tmp_path):
        VocoderTraining(tmp_path, bank, 4, TINY, batch=2).save()
        with pytest.raises(ValueError, match="wanted the state of a network of IstftConfig"):
            VocoderTraining(tmp_path, bank, 4, IstftConfig(channels=8, blocks=1))

    def test_no_bank(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="wanted bank.yaml"):
            main([str(tmp_path / "out"), "--bank", str(tmp_path)])


class TestBank:
    def test_no_group_is_on_both_sides(self):
        lines = yaml.safe_load((BANK / "bank.yaml").read_text())["recordings"]
        trained, watched = read_bank(BANK, C.sample_rate_hz)
        assert len(trained) + len(watched) == len(lines)
        assert 0 < len(watched) < len(trained) / 5
        # Levels alone tell recordings apart; copies within a group have nearly the same.
        assert not {w.tobytes() for w in trained} & {w.tobytes() for w in watched}

    def test_draws_are_repeatable_and_in_range(self, bank):
        sounds = TouchSounds(read_bank(bank, C.sample_rate_hz)[0], C.sample_rate_hz)
        for seed in range(60):
            wave = sounds.draw(np.random.default_rng(seed), 4096)
            assert wave.shape == (4096,)
            assert np.isfinite(wave).all()
            assert np.abs(wave).max() <= 1.0
            np.testing.assert_array_equal(wave, sounds.draw(np.random.default_rng(seed), 4096))


class TestLosses:
    def test_the_trained_on_mel_is_the_mel_of_the_core(self):
        wave = np.random.default_rng(0).normal(0.0, 0.1, 8192).astype(np.float32)
        wave[4096:] = 0.0
        made = MelLoss(C).log_mel(torch.from_numpy(wave)[None])[0].numpy()
        np.testing.assert_allclose(made, log_mel(wave, C), atol=1e-4)

    def test_are_zero_for_the_same_sound_and_know_the_level(self):
        wave = torch.randn(2, 8192, generator=torch.Generator().manual_seed(0)) * 0.3
        assert float(spectral_loss(wave, wave)) == 0.0
        assert float(spectral_loss(wave / 2, wave)) == pytest.approx(0.5 + math.log(2.0), abs=1e-2)
        assert float(MelLoss(C)(wave / 2, wave)) == pytest.approx(math.log10(2.0), abs=1e-3)
