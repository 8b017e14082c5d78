import pytest
import torch
from torch import Tensor

from hearing_hands_ros.model.flow.guidance import Guided
from hearing_hands_ros.model.flow.solvers import integrate, uniform_grid

NULL, CONDITION = torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [2.0]])
calls: list[int] = []


@pytest.fixture(autouse=True)
def forget_calls() -> None:
    calls.clear()


def linear(x: Tensor, condition: Tensor) -> Tensor:
    """Velocity c - x: everything flows to its condition, x(1) = c + (x(0) - c) / e."""
    calls.append(len(x))
    return condition - x


def both(x: Tensor, t: Tensor) -> Tensor:
    return linear(x, torch.cat([NULL, CONDITION]))


def alone(x: Tensor, t: Tensor) -> Tensor:
    return linear(x, CONDITION)


def test_guidance_of_a_linear_velocity_flows_to_the_exaggerated_condition() -> None:
    x0 = torch.zeros(2, 1, dtype=torch.float64)
    arrived = integrate(Guided(both, 4.5), x0, uniform_grid(100).double(), "heun")
    wanted = 4.5 * CONDITION * (1 - torch.exp(torch.tensor(-1.0)))
    assert torch.allclose(arrived, wanted.double(), atol=1e-4)
    assert calls == [4] * 200  # null and condition together, never one after the other


def test_scale_one_is_the_conditional_velocity_without_the_null_condition() -> None:
    x, t = torch.randn(2, 1), torch.full((2,), 0.3)
    assert torch.allclose(Guided(both, 1.0)(x, t), alone(x, t))
    calls.clear()
    assert torch.equal(Guided(both, 1.0, alone=alone)(x, t), alone(x, t))
    assert calls == [2, 2]


def test_scale_zero_is_the_null_velocity() -> None:
    x, t = torch.randn(2, 1), torch.full((2,), 0.3)
    assert torch.allclose(Guided(both, 0.0)(x, t), -x)


@pytest.mark.parametrize("extra", [{}, {"alone": alone}], ids=["batched", "alone outside"])
def test_outside_of_its_interval_there_is_no_guidance(extra) -> None:
    guided = Guided(both, 4.5, interval=(0.25, 0.75), **extra)
    x = torch.zeros(2, 1)
    assert torch.allclose(guided(x, torch.full((2,), 0.2)), CONDITION)
    assert torch.allclose(guided(x, torch.full((2,), 0.25)), 4.5 * CONDITION)
    assert torch.allclose(guided(x, torch.full((2,), 0.75)), 4.5 * CONDITION)
    assert torch.allclose(guided(x, torch.full((2,), 0.8)), CONDITION)
    assert calls == ([2, 4, 4, 2] if extra else [4] * 4)


def test_items_at_different_times_are_guided_each_at_its_own() -> None:
    guided = Guided(both, 3.0, interval=(0.5, 1.0), alone=alone)
    got = guided(torch.zeros(2, 1), torch.tensor([0.1, 0.9]))
    assert torch.allclose(got, torch.tensor([[1.0], [6.0]]))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="scale wanted a finite number, got nan"):
        Guided(both, float("nan"))
    with pytest.raises(ValueError, match=r"interval wanted 0 <= from <= to <= 1, got \(0.8, 0.2\)"):
        Guided(both, 2.0, interval=(0.8, 0.2))
