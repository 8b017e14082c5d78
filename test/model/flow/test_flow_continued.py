"""Going on from what was drawn before."""

import pytest
import torch

from hearing_hands_ros.model.flow.continued import Continued
from hearing_hands_ros.model.flow.solvers import integrate, uniform_grid

NOISE = torch.randn(1, 3, 20, generator=torch.Generator().manual_seed(0))


def towards_mean(x, t):
    """Every frame listens to all others, so what the first become changes the rest."""
    return x.mean(dim=-1, keepdim=True) - 0.5 * x


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun"])
def test_what_was_drawn_comes_out_again_and_the_rest_goes_with_it(method):
    grid = uniform_grid(4)
    before = Continued()
    short = integrate(before.of(towards_mean), NOISE[..., :12], grid, method)
    torch.testing.assert_close(short, integrate(towards_mean, NOISE[..., :12], grid, method))
    past = [move[..., :8] for move in before.moves]
    long = integrate(Continued(past).of(towards_mean), NOISE, grid, method)
    torch.testing.assert_close(long[..., :8], short[..., :8])
    alone = integrate(towards_mean, NOISE, grid, method)
    assert (alone[..., :8] - short[..., :8]).abs().min() > 1e-3
    assert (long[..., 8:] - alone[..., 8:]).abs().max() > 1e-4


def test_a_solver_of_more_evaluations_is_named():
    before = Continued()
    integrate(before.of(towards_mean), NOISE, uniform_grid(3))
    with pytest.raises(ValueError, match="wanted a solver of 3 evaluations, got one of more"):
        integrate(Continued(before.moves).of(towards_mean), NOISE, uniform_grid(4))
