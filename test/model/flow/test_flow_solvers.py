import math

import pytest
import torch
from torch import Tensor

from hearing_hands_ros.model.flow.solvers import integrate, published_grid, shifted_grid, uniform_grid

MEAN, STD = 0.7, 0.4


def gaussian_velocity(x: Tensor, t: Tensor) -> Tensor:
    """Of N(0, 1) flowing to N(MEAN, STD^2): expected x1 - x0 of all lines through x at t; x(1) = MEAN + STD x(0)."""
    t = t[:, None]
    variance = (1 - t) ** 2 + (t * STD) ** 2
    return MEAN + (t * STD**2 - (1 - t)) / variance * (x - t * MEAN)


def growing_velocity(x: Tensor, t: Tensor) -> Tensor:
    """dx/dt = (1 + t) x, so x(1) = x(0) exp(3/2)."""
    return (1 + t)[:, None] * x


def noise(rows: int = 64) -> Tensor:
    return torch.randn(rows, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def orders(velocity, wanted: Tensor, method) -> list[float]:
    errors = [
        float((integrate(velocity, noise(), uniform_grid(steps).double(), method) - wanted).abs().max())
        for steps in (16, 32, 64, 128)
    ]
    return [math.log2(errors[i] / errors[i + 1]) for i in range(len(errors) - 1)]


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_each_solver_converges_at_its_order(method, order: int) -> None:
    wanted = noise() * math.exp(1.5)
    assert orders(growing_velocity, wanted, method)[-1] == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_a_gaussian_flows_to_the_other_gaussian(method, order: int) -> None:
    # Midpoint gains one more order here, by the symmetry of the flow.
    assert orders(gaussian_velocity, MEAN + STD * noise(), method)[-1] > order - 0.1


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun"])
def test_a_straight_flow_needs_one_step(method) -> None:
    x0 = noise()
    arrived = integrate(lambda x, t: torch.full_like(x, 3.0), x0, torch.tensor([0.0, 1.0]), method)
    assert torch.allclose(arrived, x0 + 3.0, atol=1e-12)


def test_a_falling_grid_goes_back_to_the_noise() -> None:
    x0 = noise()
    grid = uniform_grid(200).double()
    there = integrate(gaussian_velocity, x0, grid, "heun")
    assert torch.allclose(integrate(gaussian_velocity, there, grid.flip(0), "heun"), x0, atol=1e-4)


def test_an_uneven_grid_ends_at_the_same_place() -> None:
    x0 = noise()
    grid = uniform_grid(64).double() ** 2
    assert torch.allclose(integrate(gaussian_velocity, x0, grid, "midpoint"), MEAN + STD * x0, atol=2e-3)


def test_the_published_grid_counts_points() -> None:
    seen: list[float] = []

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        seen.append(float(t[0]))
        return torch.zeros_like(x)

    integrate(velocity, torch.zeros(2, 3), published_grid(26))
    assert len(seen) == 25
    assert seen[0] == 0.0
    assert seen[-1] == pytest.approx(0.96)


@pytest.mark.parametrize(
    ("grid", "method", "message"),
    [
        ([0.0], "euler", r"at least two times \(S \+ 1,\), got shape \(1,\)"),
        ([0.0, 0.5, 0.5], "euler", "rise or fall throughout"),
        ([0.0, 1.0, 0.5], "euler", "rise or fall throughout"),
        ([0.0, float("nan")], "euler", "rise or fall throughout"),
        ([0.0, 1.0], "rk4", "method wanted one of euler, midpoint, heun, got 'rk4'"),
    ],
)
def test_what_cannot_be_integrated_is_refused(grid, method, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        integrate(gaussian_velocity, noise(), torch.tensor(grid), method)
    with pytest.raises(ValueError, match="steps wanted at least 1, got 0"):
        published_grid(1)


def test_a_shifted_grid_has_short_steps_near_the_noise_and_is_undone_by_the_inverse_shift() -> None:
    grid = shifted_grid(8, 6.0).double()
    steps = grid.diff()
    assert float(grid[0]) == 0.0
    assert float(grid[-1]) == 1.0
    assert (steps.diff() > 0).all()
    assert float(steps[0]) < 1 / 8 / 5
    assert torch.allclose(shifted_grid(8, 1.0), uniform_grid(8))
    assert torch.allclose(1.0 - shifted_grid(8, 1 / 6).flip(0).double(), grid, atol=1e-6)
    with pytest.raises(ValueError, match="shift wanted a positive number, got 0"):
        shifted_grid(8, 0.0)
