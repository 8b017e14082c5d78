import math

import pytest
import torch
from torch import Tensor

from hearing_hands_ros.model.flow.draws import draw_noise, draw_times
from hearing_hands_ros.model.flow.loss import flow_matching_loss
from hearing_hands_ros.model.flow.path import LinearPath
from hearing_hands_ros.model.flow.weighting import logit_normal, uniform

MEAN, STD = 0.7, 0.4
COUNT = 200_000


def gaussian_velocity(x: Tensor, t: Tensor) -> Tensor:
    """Expected x1 - x0 of all lines from N(0, 1) to N(MEAN, STD^2) through x at t."""
    t = t[:, None]
    variance = (1 - t) ** 2 + (t * STD) ** 2
    return MEAN + (t * STD**2 - (1 - t)) / variance * (x - t * MEAN)


def draw(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x0, normal = draw_noise((COUNT, 1), generator), draw_noise((COUNT, 1), generator)
    return x0, MEAN + STD * normal, draw_times(COUNT, generator)


def test_the_path_begins_at_noise_ends_at_data_and_is_straight() -> None:
    x0, x1, _ = (value[:5] for value in draw())
    path = LinearPath()
    assert torch.equal(path.at(x0, x1, torch.zeros(5)), x0)
    assert torch.equal(path.at(x0, x1, torch.ones(5)), x1)
    step = path.at(x0, x1, torch.full((5,), 0.6)) - path.at(x0, x1, torch.full((5,), 0.5))
    assert torch.allclose(step, 0.1 * path.target(x0, x1), atol=1e-6)
    with pytest.raises(
        ValueError, match=r"wanted x0 and x1 \(B, ...\) and t \(B,\), got \(5, 1\), \(5, 1\) and \(4,\)"
    ):
        path.at(x0, x1, torch.zeros(4))


def test_a_weight_of_the_conditions_changes_what_counts_and_not_what_is_best() -> None:
    x0, x1, t = (value.reshape(COUNT // 2, 2) if value.ndim == 2 else value[: COUNT // 2] for value in draw())
    weight = torch.tensor([10.0, 1.0])
    best = float(flow_matching_loss(gaussian_velocity, x0, x1, t, weight=weight))
    for which, counts in enumerate(weight):
        off = 0.2 * torch.eye(2)[which]
        worse = float(flow_matching_loss(lambda x, s, by=off: gaussian_velocity(x, s) + by, x0, x1, t, weight=weight))  # type: ignore[misc]
        assert worse - best == pytest.approx(float(counts) * 0.2**2 / 2, rel=0.3)


@pytest.mark.parametrize("weighting", [uniform, logit_normal])
def test_the_known_velocity_has_the_least_loss(weighting) -> None:
    x0, x1, t = draw()
    best = float(flow_matching_loss(gaussian_velocity, x0, x1, t, weighting))
    # What is left is the spread of the lines through one point: STD^2 / variance(t).
    spread = STD**2 / ((1 - t) ** 2 + (t * STD) ** 2)
    assert best == pytest.approx(float((weighting(t) * spread).mean()), rel=0.02)
    for other in (lambda x, t: gaussian_velocity(x, t) + 0.1, lambda x, t: 0.9 * gaussian_velocity(x, t)):
        assert float(flow_matching_loss(other, x0, x1, t, weighting)) > best + 0.005


@pytest.mark.parametrize(
    "weighting", [uniform, logit_normal, lambda t: logit_normal(t, 0.5, 0.7)], ids=["uniform", "published", "shifted"]
)
def test_every_weighting_has_mean_one(weighting) -> None:
    t = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    assert float(weighting(t).mean()) == pytest.approx(1.0, abs=1e-3)


def test_logit_normal_weights_are_a_known_density() -> None:
    t = torch.tensor([0.0, 0.5, 0.2, 0.8, 1.0])
    weights = logit_normal(t)
    assert weights[1] == pytest.approx(4 / math.sqrt(2 * math.pi))
    assert weights[2] == pytest.approx(float(weights[3]))
    assert weights[0] == weights[4] == 0
    with pytest.raises(ValueError, match="std wanted a positive number, got 0"):
        logit_normal(t, std=0)


def test_gradients_reach_the_network_also_at_the_ends_of_time() -> None:
    bias = torch.zeros(1, requires_grad=True)
    t = torch.tensor([0.0, 0.5, 1.0])
    flow_matching_loss(lambda x, t: x + bias, torch.zeros(3, 1), torch.ones(3, 1), t, logit_normal).backward()
    assert bias.grad is not None
    assert torch.isfinite(bias.grad).all()
    assert bias.grad.abs() > 0


def test_draws_come_from_the_callers_generator_alone() -> None:
    torch.manual_seed(1)
    first = draw_noise((4,), torch.Generator().manual_seed(5)), draw_times(4, torch.Generator().manual_seed(5))
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    again = draw_noise((4,), torch.Generator().manual_seed(5)), draw_times(4, torch.Generator().manual_seed(5))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_times_in_whole_steps_as_published() -> None:
    times = draw_times(10_000, torch.Generator().manual_seed(0), steps=1000)
    assert torch.allclose(times * 1000, torch.round(times * 1000), atol=1e-3)
    assert 0 <= float(times.min()) < 0.01
    assert 0.99 < float(times.max()) < 1
