"""Embeddings of real recordings tell materials apart, whatever their level."""

import hashlib
import importlib.util
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.sound.embedding import aisfx
from hearing_hands_ros.sound.embedding.aisfx_network import BANDS, RATE_HZ, AisfxNetwork, filters, levels
from hearing_hands_ros.sound.embedding.mel_statistics import MelStatistics
from hearing_hands_ros.sound.embedding.protocol import load_embedding
from hearing_hands_ros.sound.metrics.probe import LinearProbe
from hearing_hands_ros.train.anomalies.bank_touches import in_room

DEMO = Path(__file__).resolve().parents[3] / "demo"
RATE = 16000
TOUCH = round(0.65 * RATE)


def touches(bank, materials=("metal", "stone", "wood")):
    """(N, L) touches in a quiet room, and their materials."""
    chosen = [e for e in ExampleBank.load(DEMO / bank).exemplars if e.material in materials]
    waves = [in_room(e, 0.05, 30.0, np.random.default_rng(i)) for i, e in enumerate(chosen)]
    return np.stack([np.pad(wave, (0, TOUCH))[:TOUCH] for wave in waves]), [e.material for e in chosen]


def accuracy(embedding, every=1):
    waves, materials = touches("bank")
    probe = LinearProbe.fit(embedding.embed(waves[::every], RATE), materials[::every])
    waves, materials = touches("held_out")
    return np.mean(probe.predict(embedding.embed(waves[::every], RATE)) == materials[::every])


def test_mel_statistics_tell_materials_of_held_out_recordings():
    assert accuracy(MelStatistics()) > 0.85


@pytest.mark.skipif(importlib.util.find_spec("aisfx") is None, reason="wants: pip install --no-deps aisfx==0.1.2")
def test_the_published_network_tells_materials_of_held_out_recordings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    embedding = load_embedding("aisfx")
    assert accuracy(embedding, every=2) > 0.9
    assert [path.suffix for path in (tmp_path / "hearing_hands_ros").iterdir()] == [".safetensors"]


@pytest.mark.parametrize("make", [MelStatistics, lambda: aisfx.Aisfx(seeded_network())], ids=["mel", "aisfx"])
def test_level_does_not_matter_and_no_sound_is_no_trouble(make):
    embedding = make()
    wave = touches("held_out")[0][:1]
    loud, quiet = embedding.embed(np.concatenate([wave, 0.3 * wave]), RATE)
    assert np.abs(loud - quiet).max() < 1e-3 * np.abs(loud).max()
    assert np.isfinite(embedding.embed(np.zeros((1, TOUCH), np.float32), RATE)).all()
    assert embedding.embed(np.zeros((0, TOUCH), np.float32), RATE).shape == (0, embedding.dim)
    with pytest.raises(ValueError, match=r"shape \(B, L\)"):
        embedding.embed(wave[0], RATE)
    with pytest.raises(ValueError, match="finite samples, got 1"):
        embedding.embed(np.where(np.arange(TOUCH) == 5, np.nan, wave), RATE)


def test_bands_are_those_of_the_published_front_end():
    """Each sums to 1, is even on the mel scale of HTK, and a tone is loudest in the band round it."""
    assert np.allclose(filters().sum(axis=1), 1.0, atol=1e-5)
    mel = 1127 * np.log1p(np.array([0.0, RATE_HZ / 2]) / 700)
    for hz in (200.0, 1000.0, 5000.0):
        tone = np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
        spectrum = levels(tone[None])[0]
        assert spectrum.shape == (44, BANDS)
        middle = (1127 * np.log1p(hz / 700)) / mel[1] * (BANDS + 1) - 1
        assert abs(spectrum[20].argmax() - middle) <= 1.0


def seeded_network(seed=0):
    torch.manual_seed(seed)
    return AisfxNetwork()


def published_file(folder, network, change=None):
    """A pickle laid out as the published one: network and heads, and the table of its training sets."""
    state = OrderedDict((f"embedding_net.{name}", tensor) for name, tensor in network.state_dict().items())
    state["fc.0.0.weight"] = torch.zeros(256, 512)
    if change:
        change(state)
    path = folder / "checkpoint.pth"
    torch.save((state, {"prosfx": (np.int64(0), 78)}), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_published_pickle_is_converted_once_and_gives_the_same_network(tmp_path):
    network = seeded_network()
    source, digest = published_file(tmp_path, network)
    target = aisfx.convert(source, tmp_path / "cache" / "a.safetensors", digest)
    source.unlink()
    assert aisfx.convert(source, target, digest) == target, "the source is wanted only once"
    x = torch.rand(2, 40, BANDS)
    with torch.inference_mode():
        assert torch.equal(aisfx.read(target).eval()(x), network.eval()(x))


def spoil(name, value):
    return lambda state: state.__setitem__(f"embedding_net.{name}", value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil("bn9.bias", torch.zeros(3)), "bn9.bias wanted no such tensor"),
        (
            lambda state: state.pop("embedding_net.conv_block1.bn1.bias"),
            r"conv_block1.bn1.bias wanted \(64,\), got none",
        ),
        (spoil("conv_block1.bn1.bias", torch.zeros(5)), r"wanted \(64,\), got \(5,\)"),
        (spoil("conv_block1.bn1.bias", torch.full((64,), torch.nan)), "wanted finite"),
    ],
)
def test_other_weights_are_refused_by_name(tmp_path, change, message):
    source, digest = published_file(tmp_path, seeded_network(), change)
    with pytest.raises(ValueError, match=message):
        aisfx.convert(source, tmp_path / "a.safetensors", digest)


class Harmful:
    def __reduce__(self):
        return Path.touch, (Path("was_run"),)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save((Harmful(), {}), "checkpoint.pth")
    digest = hashlib.sha256(Path("checkpoint.pth").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="wanted a checkpoint of tensors"):
        aisfx.convert(Path("checkpoint.pth"), Path("a.safetensors"), digest)
    assert not Path("was_run").exists()
    with pytest.raises(ValueError, match=r"wanted sha256 499ea75909c9\.\.\., got"):
        aisfx.convert(Path("checkpoint.pth"), Path("a.safetensors"))


def test_an_unknown_embedding_is_named():
    with pytest.raises(ValueError, match="wanted 'mel' or 'aisfx', got 'clap'"):
        load_embedding("clap")
