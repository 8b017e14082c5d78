"""A generator in the table: what it is not told does not reach it."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from made_touches import DIM, SEQUENCE, made_items, make_dataset

from hearing_hands_ros.cli.main import build_parser
from hearing_hands_ros.model.checkpoint import save_checkpoint
from hearing_hands_ros.model.compact.config import CompactConfig
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling
from hearing_hands_ros.model.compact.network import CompactNetwork
from hearing_hands_ros.train.evaluation.generator import GeneratorSystem

SMALL = CompactConfig(feature_dim=DIM, dim=32, depth=1, heads=2, reach=4)


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    network = CompactNetwork(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.1)
    mean, std = torch.full((80,), -2.0), torch.full((80,), 0.5)
    return CompactGenerator(network, mean, std, SEQUENCE, Sampling(steps=2), "tiny", "cpu")


class Bands:
    """A vocoder that puts a tone of the level of each band into each hop: what it is given can be read off."""

    name, licence = "bands", "none"

    def synthesize(self, log_mel):
        tones = np.sin(np.outer(np.arange(1, 81), 2 * np.pi * np.arange(SEQUENCE.hop) / SEQUENCE.hop))
        return np.einsum("ft,fn->tn", 10.0**log_mel, tones).ravel().astype(np.float32)


def spectrum(waves):
    return np.stack([np.abs(np.fft.rfft(wave.reshape(-1, SEQUENCE.hop), axis=1)) for wave in waves])


def test_a_generator_that_knows_other_features_is_refused_before_anything_is_heard(generator, tmp_path):
    folder = tmp_path / "small"
    tensors = {f"network.{name}": tensor for name, tensor in generator.network.state_dict().items()}
    tensors |= {"mel_mean": torch.full((80,), -2.0), "mel_std": torch.full((80,), 0.5)}
    config = {"network": asdict(SMALL), "sequence": asdict(SEQUENCE), "training": "none", "licence": "Apache-2.0"}
    save_checkpoint(folder, "compact", config | {"encoder": "other"}, tensors)
    data = make_dataset(tmp_path / "made", count=1)
    parser, module = build_parser("evaluate")
    words = ["evaluate", str(data), "--embedding", "mel", "--vocoder", "griffin_lim", "--model", str(folder)]
    with pytest.raises(ValueError, match=r"small' wanted features of 'other' .* dataset 'made': 'tiny'"):
        module.run(parser.parse_args([*words, "--steps", "1,4"]))
    with pytest.raises(SystemExit):
        parser.parse_args([*words, "--steps", "1,0"])


@pytest.fixture(scope="module")
def items():
    return made_items("test", 2)


def test_equal_seeds_give_equal_sounds_of_the_items_length(generator, items):
    system = GeneratorSystem("small", generator, Bands())
    waves = system.predict(items)
    assert [wave.shape for wave in waves] == [item.audio.shape for item in items]
    assert all(np.array_equal(a, b) for a, b in zip(waves, system.predict(items), strict=True))
    other = GeneratorSystem("small", generator, Bands(), seed=1).predict(items)
    assert not np.array_equal(waves[0], other[0])
    alone = system.predict(items[:1])[0]
    assert np.abs(spectrum([alone]) - spectrum(waves[:1])).max() < 0.05 * spectrum(waves[:1]).max()


def test_names_say_what_was_taken_away():
    names = [
        GeneratorSystem.name_of("small", steps, drop) for steps, drop in ((None, None), (4, None), (None, "hands"))
    ]
    assert names == ["small", "small, 4 steps", "small, no hands"]


@pytest.mark.parametrize(("drop", "field"), [("vision", "contact_local"), ("hands", "motion")])
def test_what_is_taken_away_does_not_reach_the_sound(generator, items, drop, field):
    """Two items that differ in nothing else sound alike without it, and different with it."""
    first = items[0]
    second = replace(first, **{field: changed(first, field)})
    for without, same in ((drop, True), (None, False)):
        system = GeneratorSystem("small", generator, Bands(), drop=without)
        a, b = (spectrum(system.predict([item])) for item in (first, second))
        assert np.array_equal(a, b) == same, without


def changed(item, field):
    if field == "motion":
        earlier = tuple(replace(c, start_ns=c.start_ns - 200_000_000) for c in item.motion.contacts)
        return replace(item.motion, keypoints=item.motion.keypoints * 3, contacts=earlier)
    return item.contact_local + np.float16(3)
