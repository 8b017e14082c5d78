"""From conditions to spectrograms, by a checkpoint."""

from dataclasses import asdict, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the generator needs PyTorch")
pytest.importorskip("safetensors", reason="checkpoints are safetensors")

from hearing_hands_ros.model.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from hearing_hands_ros.model.compact.conditions import HAND_CHANNELS, TOUCH_CHANNELS, Conditions  # noqa: E402
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig  # noqa: E402
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling, typical_draw  # noqa: E402
from hearing_hands_ros.model.compact.network import CompactNetwork  # noqa: E402
from hearing_hands_ros.model.compact.noise import noise_of_frames  # noqa: E402
from hearing_hands_ros.sequence import SequenceConfig  # noqa: E402

SMALL = CompactConfig(feature_dim=12, dim=32, depth=2, heads=2, reach=4)


def checkpoint(folder, change=lambda config, tensors: None, **sampling):
    torch.manual_seed(0)
    network = CompactNetwork(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.1)
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {"mel_mean": torch.full((80,), -3.0), "mel_std": torch.full((80,), 0.5)}
    config = {
        "network": asdict(SMALL),
        "sequence": asdict(SequenceConfig()),
        "training": "nothing: random weights",
        "licence": "Apache-2.0",
        "encoder": "made_up",
        "sampling": {"steps": 3, **sampling},
    }
    change(config, tensors)
    save_checkpoint(folder, "compact", config, tensors)
    return folder


def conditions(tokens=30, touches=2, seed=0):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    return Conditions(
        draw(tokens, 2 * HAND_CHANNELS),
        draw(tokens, 2 * TOUCH_CHANNELS),
        rng.integers(0, touches + 1, (tokens, 2)),
        draw(touches, SMALL.feature_dim),
        draw(SMALL.feature_dim),
    )


def noise(made, first=1000, seed=0):
    return noise_of_frames(first, PATCH * len(made.hands), 80, seed)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_windows_of_different_lengths_in_one_pass_are_as_they_are_alone(tmp_path, guidance):
    generator = CompactGenerator.load(checkpoint(tmp_path, guidance=guidance), "cpu")
    windows = [conditions(30), conditions(17, seed=1), conditions(64, touches=5, seed=2)]
    together = generator.generate(windows, [noise(w) for w in windows])
    for window, mel in zip(windows, together, strict=True):
        (alone,) = generator.generate([window], [noise(window)])
        assert mel.shape == (80, PATCH * len(window.hands))
        assert np.isfinite(mel).all()
        assert mel.min() >= -5.0
        np.testing.assert_allclose(mel, alone, atol=0.05)  # of bfloat16, at a standard deviation of 0.5


def test_half_precision_is_that_of_autocast(tmp_path):
    """Weights that are cast once give what weights give that are cast in each step."""
    loaded = CompactGenerator.load(checkpoint(tmp_path), "cpu")
    plain = CompactNetwork(SMALL)
    plain.load_state_dict({n: t for name, t in load_checkpoint(tmp_path, "compact").tensors.items()
                           if (n := name.removeprefix("network.")) != name})  # fmt: skip
    mean, std = torch.full((80,), -3.0), torch.full((80,), 0.5)
    cast = CompactGenerator(plain, mean, std, SequenceConfig(), loaded.sampling, "made_up", "cpu")
    window = conditions()
    np.testing.assert_array_equal(loaded.generate([window], [noise(window)]), cast.generate([window], [noise(window)]))


def test_a_batch_that_does_not_fit_into_memory_is_halved(tmp_path, monkeypatch):
    generator = CompactGenerator.load(checkpoint(tmp_path), "cpu")
    windows = [conditions(seed=seed) for seed in range(5)]
    noises = [noise(w, seed=seed) for seed, w in enumerate(windows)]
    wanted = generator.generate(windows, noises)
    fits, inner = 2, generator.sample

    def small(batch, x, *rest):
        if len(x) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7 GiB.")
        return inner(batch, x, *rest)

    monkeypatch.setattr(generator, "sample", small)
    np.testing.assert_allclose(generator.generate(windows, noises), wanted, atol=0.05)  # of bfloat16
    fits = 0
    with pytest.raises(MemoryError, match="wanted memory for one window on cpu, got CUDA out of memory"):
        generator.generate(windows, noises)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs want CUDA, and none is here")
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_captured_steps_give_what_plain_ones_give(tmp_path, guidance):
    folder = checkpoint(tmp_path, guidance=guidance)
    captured, plain = (CompactGenerator.load(folder, "cuda") for _ in range(2))
    plain._captured = None
    for windows in ([conditions(30)], [conditions(17, seed=1), conditions(64, touches=5, seed=2)], [conditions(31)]):
        noises = [noise(window) for window in windows]
        for mine, wanted in zip(captured.generate(windows, noises), plain.generate(windows, noises), strict=True):
            np.testing.assert_allclose(mine, wanted, atol=0.05)
    assert captured._captured.failed == ""
    assert len(captured._captured._graphs) == 2  # 30 and 31 tokens are one shape


def test_guidance_moves_away_from_what_no_condition_gives(tmp_path):
    generator = CompactGenerator.load(checkpoint(tmp_path), "cpu")
    window = conditions()
    free, plain, strong = (
        generator.generate([window], [noise(window)], Sampling(3, guidance))[0] for guidance in (0.0, 1.0, 2.0)
    )
    other = conditions(seed=9)
    np.testing.assert_allclose(free, generator.generate([other], [noise(window)], Sampling(3, 0.0))[0], atol=0.05)
    assert np.abs(strong - free).mean() > np.abs(plain - free).mean() > 0.01


def test_noise_belongs_to_its_time_and_seed():
    whole = noise_of_frames(100, 500, 80, 0)
    np.testing.assert_array_equal(noise_of_frames(163, 130, 80, 0), whole[:, 63:193])
    assert abs(float(whole.mean())) < 0.02
    assert float(whole.std()) == pytest.approx(1.0, abs=0.02)
    assert not np.allclose(noise_of_frames(100, 500, 80, 1), whole)
    far = noise_of_frames(10**11, 10, 80, 0)  # the mel frame of a day in 2024
    assert not np.allclose(far, noise_of_frames(10**11 + 1, 10, 80, 0))


def test_left_out_vision_does_not_matter(tmp_path):
    generator = CompactGenerator.load(checkpoint(tmp_path), "cpu")
    window = conditions()
    other = replace(window, looks=-window.looks, scene=-window.scene)
    blind = [generator.generate([w], [noise(w)], see=False)[0] for w in (window, other)]
    np.testing.assert_allclose(*blind, atol=1e-6)
    seeing = [generator.generate([w], [noise(w)])[0] for w in (window, other)]
    assert np.abs(seeing[0] - seeing[1]).max() > 0.01


def bad(tensor_or_field, value):
    def change(config, tensors):
        (tensors if tensor_or_field in tensors else config)[tensor_or_field] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (bad("network", {**asdict(SMALL), "dim": 64}), r"network.no_look' wanted shape \(32,\), got \(16,\)"),
        (bad("network", {**asdict(SMALL), "wings": 2}), r"network: .*wings"),
        (bad("sampling", {"steps": 0}), r"sampling: Sampling: steps wanted an integer from 1 to 1000, got 0"),
        (bad("sampling", {"draws": 0}), r"sampling: Sampling: draws wanted an integer from 1 to 1000, got 0"),
        (bad("sampling", {"typical": 1.5}), r"sampling: Sampling: typical wanted 0 to 1, got 1.5"),
        (bad("encoder", ""), "encoder wanted the name of an image encoder, got ''"),
        (bad("mel_std", torch.zeros(80)), "positive std of 80 bins"),
        (lambda config, tensors: tensors.pop("mel_mean"), "wanted tensors mel_mean and mel_std"),
        (lambda config, tensors: tensors.pop("network.null"), r"network\.null"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_named(tmp_path, change, said):
    with pytest.raises(ValueError, match=said):
        CompactGenerator.load(checkpoint(tmp_path, change), "cpu")


def test_noise_that_does_not_fit_is_named(tmp_path):
    generator = CompactGenerator.load(checkpoint(tmp_path), "cpu")
    window = conditions()
    with pytest.raises(ValueError, match=r"noise wanted \[\(80, 60\)\], got \[\(80, 58\)\]"):
        generator.generate([window], [noise(window)[:, :58]])
    assert generator.generate([], []) == []


def test_what_is_heard_lies_between_a_draw_and_the_mean_of_all():
    draws = np.random.default_rng(0).normal(size=(3, 80, 10)).astype(np.float32)
    heard = {share: typical_draw(draws, Sampling(typical=share, typical_level=share)) for share in (0.0, 0.5, 1.0)}
    np.testing.assert_allclose(heard[0.0], draws[0], atol=1e-6)
    np.testing.assert_allclose(heard[1.0], draws.mean(axis=0), atol=1e-6)
    away = [np.square(heard[share] - draws.mean(axis=0)).mean() for share in (0.0, 0.5, 1.0)]
    assert away[0] > away[1] > away[2]
    level = typical_draw(draws, Sampling(typical=0.0, typical_level=1.0))
    np.testing.assert_allclose(level.mean(axis=0), draws.mean(axis=(0, 1)), atol=1e-6)
    np.testing.assert_allclose(level - level.mean(axis=0), draws[0] - draws[0].mean(axis=0), atol=1e-6)
