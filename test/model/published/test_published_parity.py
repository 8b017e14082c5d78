"""The published numbers, from the published weights' names."""

import pytest
import reference
import torch

from hearing_hands_ros.model.flow.solvers import published_grid
from hearing_hands_ros.model.published import acceleration
from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.conditioner import Conditioner
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.conversion import wanted_shapes
from hearing_hands_ros.model.published.sampler import sample
from hearing_hands_ros.model.published.velocity import VelocityNetwork, published_step
from hearing_hands_ros.sequence import SequenceConfig

LIMIT = 1e-4


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(params=["as published", "fast"])
def prepare(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Leaves a network alone, or accelerates it although it is narrow."""
    monkeypatch.setattr(acceleration, "NARROWEST", 1)
    return acceleration.accelerate if request.param == "fast" else lambda network: None


def test_conditioner() -> None:
    given, _ = reference.stored("conditioner")
    network = reference.conditioner()
    frames = SequenceConfig().latent_frames(given["hands"].shape[1] / SequenceConfig().hand_rate_hz)
    context = network(given["hands"], given["global_features"], given["local_features"], frames)
    assert reference.error(context, given["context"]) < LIMIT
    null = network.null(given["hands"], frames).expand_as(context)
    assert reference.error(null, given["null_context"]) < LIMIT


def test_velocity(prepare) -> None:
    given, _ = reference.stored("flow")
    network = reference.velocity()
    prepare(network)
    assert reference.error(network(given["x"], given["t"], given["context"]), given["v"]) < LIMIT


def test_guided_sampling(prepare) -> None:
    given, _ = reference.stored("sampler")
    contexts, _ = reference.stored("conditioner")
    grid = published_grid(26)
    assert torch.equal(grid, given["time_grid"])
    assert torch.equal(published_step(grid[:-1]), given["discrete_t"])
    network = reference.velocity()
    prepare(network)
    null = contexts["null_context"][:1]
    latent = sample(network, given["x0"], contexts["context"], null, len(grid) - 1, float(given["guidance"]))
    assert reference.error(latent, given["x1"]) < LIMIT


def test_autoencoder(prepare) -> None:
    given, _ = reference.stored("autoencoder")
    network = reference.autoencoder()
    prepare(network.decoder)
    mean, log_variance = network.encode(given["mel"])
    assert reference.error(mean, given["mean"]) < LIMIT
    assert reference.error(log_variance, given["logvar"]) < LIMIT
    assert reference.error(network.decode(given["mean"]), given["decoded"]) < LIMIT


def test_vocoder(prepare) -> None:
    given, _ = reference.stored("vocoder")
    network = reference.vocoder()
    prepare(network)
    assert reference.error(network(given["mel"]), given["wave"][:, 0]) < LIMIT


def test_at_full_size_names_and_shapes_are_those_of_the_published_files() -> None:
    published = reference.published_keys()
    published["generator"] = published.pop("vocoder generator")
    assert wanted_shapes(PublishedConfig()) == published


@pytest.mark.parametrize(
    ("build", "part", "parameters"),
    [
        (Conditioner, "conditioner", 1_277_952),
        (VelocityNetwork, "velocity", 158_882_708),
        (Autoencoder, "autoencoder", 212_958_212),
    ],
)
def test_at_full_size_there_are_as_many_parameters_as_published(build, part: str, parameters: int) -> None:
    with torch.device("meta"):
        network = build(getattr(PublishedConfig(), part))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_a_latent_is_the_scaled_draw_of_the_encoder() -> None:
    given, _ = reference.stored("autoencoder")
    network = reference.autoencoder()
    mean, log_variance = network.encode(given["mel"])
    first, second = (network.latent(given["mel"], torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    noise = (first / network.config.scale - mean) / torch.exp(0.5 * log_variance)
    assert abs(float(noise.mean())) < 0.2
    assert float(noise.std()) == pytest.approx(1.0, abs=0.15)
    assert torch.allclose(network.log_mel(mean * network.config.scale), network.decode(mean), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reference.conditioner()(torch.zeros(1, 3, 5), *[torch.zeros(1, 2, 6), torch.zeros(1, 2, 10)], 4),
         r"hands wanted shape \(1, frames, 12\) with at least one frame, got \(1, 3, 5\)"),
        (lambda: reference.conditioner()(torch.zeros(1, 0, 12), torch.zeros(1, 2, 6), torch.zeros(1, 2, 10), 4),
         r"hands wanted shape .* with at least one frame, got \(1, 0, 12\)"),
        (lambda: reference.conditioner()(torch.zeros(1, 3, 12), torch.zeros(1, 2, 6), torch.zeros(1, 3, 10), 4),
         "wanted as many views, got 2 and 3"),
        (lambda: reference.velocity()(torch.zeros(1, 4, 300), torch.zeros(1), torch.zeros(1, 300, 16)),
         r"x wanted \(B, 4, T\) with T in 1..299, got \(1, 4, 300\)"),
        (lambda: reference.velocity()(torch.zeros(1, 4, 8), torch.zeros(1), torch.zeros(1, 9, 16)),
         r"wanted a step \(1,\) and a context \(1, 8, C\)"),
        (lambda: reference.autoencoder().encode(torch.zeros(1, 8, 7)), r"T a multiple of 2, got \(1, 8, 7\)"),
        (lambda: reference.autoencoder().decode(torch.zeros(1, 5, 7)), r"z wanted \(B, 4, T\), got \(1, 5, 7\)"),
        (lambda: reference.vocoder()(torch.zeros(8, 7)), r"log_mel wanted \(B, 8, T\), got \(8, 7\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
