"""Sound from conditions, at small size."""

import pytest
import reference
import torch
from torch import Tensor

from hearing_hands_ros.model.published.generator import PublishedGenerator
from hearing_hands_ros.model.published.vocoder import PublishedVocoder


def build(**options: object) -> PublishedGenerator:
    parts = reference.conditioner(), reference.velocity(), reference.autoencoder(), reference.vocoder()
    return PublishedGenerator(reference.TINY, *parts, reference.TINY_SEQUENCE, device="cpu", **options)


def conditions(windows: int = 2, seconds: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    shapes = (windows, 30 * seconds, 12), (windows, 4 * seconds, 6), (windows, 4 * seconds, 10)
    hands, seen, near = (torch.randn(shape, generator=generator) for shape in shapes)
    return hands, seen, near


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_a_window_of_eight_seconds_has_the_published_lengths_and_is_repeatable() -> None:
    generator = build()
    log_mel, wave = generator.generate(*conditions(), noise(), steps=3)
    assert log_mel.shape == (2, 8, 500)
    assert wave.shape == (2, 500 * 32)
    assert torch.isfinite(log_mel).all()
    assert float(wave.abs().max()) <= 1.0
    again = generator.generate(*conditions(), noise(), steps=3)
    assert torch.equal(again[0], log_mel)
    assert torch.equal(again[1], wave)
    other, _ = generator.generate(*conditions(), torch.Generator().manual_seed(2), steps=3)
    assert not torch.allclose(other, log_mel)


def test_each_condition_is_heard() -> None:
    generator = build()
    plain = generator.generate(*conditions(1), noise(), steps=2)[0]
    for which in range(3):
        changed = list(conditions(1))
        changed[which] = -changed[which]
        assert not torch.allclose(generator.generate(*changed, noise(), steps=2)[0], plain, atol=1e-3)


def test_a_shorter_window_is_shorter() -> None:
    log_mel, wave = build().generate(*conditions(1, seconds=2), noise(), steps=2)
    assert log_mel.shape == (1, 8, 124)  # whole latent frames
    assert wave.shape == (1, 124 * 32)


def test_fast_and_plain_sound_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hearing_hands_ros.model.published.acceleration.NARROWEST", 16)
    wanted = build(fast=False).generate(*conditions(), noise(), steps=4)
    got = build().generate(*conditions(), noise(), steps=4)
    for one, other in zip(got, wanted, strict=True):
        assert reference.error(one, other) < 1e-4
    rough, _ = build(precision="bfloat16").generate(*conditions(), noise(), steps=4)
    assert 0 < float((rough - wanted[0]).std() / wanted[0].std()) < 0.05


def test_a_batch_that_does_not_fit_into_memory_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = build()
    wanted = generator.generate(*conditions(3), noise(), steps=2)
    fits = 1
    inner = generator._generate

    def small(inputs: list[Tensor], steps: int, guidance: float) -> tuple[Tensor, Tensor]:
        if len(inputs[0]) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7 GiB.")
        return inner(inputs, steps, guidance)

    monkeypatch.setattr(generator, "_generate", small)
    got = generator.generate(*conditions(3), noise(), steps=2)
    for one, other in zip(got, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    fits = 0
    with pytest.raises(MemoryError, match="wanted memory for one window on cpu, got CUDA out of memory"):
        generator.generate(*conditions(3), noise(), steps=2)


@pytest.mark.parametrize(
    ("which", "change", "message"),
    [
        (0, lambda x: x[:, :0], r"hands wanted \(B, frames, width\), got \(2, 0, 12\)"),
        (0, lambda x: x.index_fill(1, torch.tensor([3]), torch.nan), "hands wanted finite values, got 24 that are not"),
        (0, lambda x: torch.cat([x, x[:, :1]], dim=1), r"hands wanted at most 8 s, as trained, got 8.03333 s"),
        (0, lambda x: x[:, :, :5], r"hands wanted shape \(2, frames, 12\)"),
        (1, lambda x: x[:, :31], "global_features wanted 32 views for 8 s, got 31"),
        (2, lambda x: x[:1], r"local_features wanted shape \(2, frames, 10\)"),
        (2, lambda x: x / 0, "local_features wanted finite values"),
    ],
)
def test_bad_conditions_are_refused_by_name(which: int, change, message: str) -> None:
    given = list(conditions())
    given[which] = change(given[which])
    with pytest.raises(ValueError, match=message):
        build().generate(*given, noise(), steps=1)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="precision wanted 'float32' or 'bfloat16', got 'int8'"):
        build(precision="int8")
    parts = reference.conditioner(), reference.velocity(), reference.autoencoder(), reference.vocoder()
    with pytest.raises(ValueError, match="autoencoder.bins wanted 80, got 8"):
        PublishedGenerator(reference.TINY, *parts, device="cpu")


def test_the_vocoder_alone_takes_one_spectrogram_or_several() -> None:
    vocoder = PublishedVocoder(reference.vocoder(), "MIT", reference.TINY_SEQUENCE)
    mel = reference.stored("vocoder")[0]["mel"].numpy()
    waves = vocoder.synthesize(mel)
    assert waves.shape == (1, 40 * 32)
    assert (vocoder.synthesize(mel[0]) == waves[0]).all()
    mel[0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="log_mel wanted numbers, got 1 NaN of 320 values"):
        vocoder.synthesize(mel)
