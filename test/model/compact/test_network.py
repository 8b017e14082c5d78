"""The velocity network of our own."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the generator needs PyTorch")

from hearing_hands_ros.model.compact.conditions import HAND_CHANNELS, TOUCH_CHANNELS  # noqa: E402
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig  # noqa: E402
from hearing_hands_ros.model.compact.network import CompactNetwork, ConditionBatch  # noqa: E402

SMALL = CompactConfig(feature_dim=24, dim=32, depth=2, heads=2, reach=4)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = CompactNetwork(SMALL).eval()
    for parameter in network.parameters():  # the last layers begin at zero, and would hide everything
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    return network


def batch(count=3, tokens=40, touches=5, seed=1):
    draw = torch.Generator().manual_seed(seed)
    return ConditionBatch(
        torch.randn(count, tokens, 2 * HAND_CHANNELS, generator=draw),
        torch.randn(count, tokens, 2 * TOUCH_CHANNELS, generator=draw),
        torch.randint(0, touches + 1, (count, tokens, 2), generator=draw),
        torch.randn(count, touches, SMALL.feature_dim, generator=draw),
        torch.randn(count, SMALL.feature_dim, generator=draw),
        torch.full((count,), tokens),
    )


def noise(count=3, tokens=40):
    return torch.randn(count, SMALL.bins, PATCH * tokens, generator=torch.Generator().manual_seed(2))


def cut(conditions, first, last):
    parts = {name: getattr(conditions, name)[:, first:last] for name in ("hands", "touches", "touched")}
    return replace(conditions, **parts)


@torch.no_grad()
def test_what_is_far_away_does_not_matter_so_windows_of_any_length_agree(network):
    conditions, x, t = batch(), noise(), torch.tensor([0.1, 0.5, 0.9])
    whole = network(x, t, network.context(conditions))
    first, last = 8, 32
    part = network(x[..., PATCH * first : PATCH * last], t, network.context(cut(conditions, first, last)))
    reach = SMALL.reach * SMALL.depth
    inside = slice(PATCH * reach, PATCH * (last - first - reach))
    torch.testing.assert_close(part[..., inside], whole[..., PATCH * first : PATCH * last][..., inside])
    assert not torch.allclose(part[..., :2], whole[..., PATCH * first :][..., :2])


@torch.no_grad()
def test_filling_up_changes_nothing(network):
    conditions, x, t = batch(), noise(), torch.tensor([0.1, 0.5, 0.9])
    alone = network(x[:1, :, :40], t[:1], network.context(cut(replace(conditions, **first(conditions)), 0, 20)))
    tokens = torch.tensor([20, 40, 40])
    together = network(x, t, network.context(conditions), tokens)
    torch.testing.assert_close(together[:1, :, :40], alone)


def first(conditions):
    return {name: value[:1] for name, value in vars(conditions).items()}


@torch.no_grad()
def test_what_is_left_out_does_not_matter_and_what_is_not_does(network):
    one, two = batch(seed=1), batch(seed=7)
    no, yes = torch.zeros(3, dtype=torch.bool), torch.ones(3, dtype=torch.bool)
    blind = replace(one, looks=two.looks, scene=two.scene)
    torch.testing.assert_close(network.context(one, see=no), network.context(blind, see=no))
    assert not torch.allclose(network.context(one, see=yes), network.context(blind, see=yes))
    numb = replace(one, hands=two.hands, touches=two.touches, touched=two.touched)
    torch.testing.assert_close(network.context(one, feel=no), network.context(numb, feel=no))
    assert not torch.allclose(network.context(one, feel=yes), network.context(numb, feel=yes))


@torch.no_grad()
def test_only_the_touched_place_is_seen(network):
    conditions = batch()
    conditions.touched[:] = 2
    reference = network.context(conditions)
    for touch, matters in ((0, False), (1, True), (4, False)):
        looks = conditions.looks.clone()
        looks[:, touch] += torch.randn(SMALL.feature_dim)
        assert torch.allclose(network.context(replace(conditions, looks=looks)), reference) != matters


@torch.no_grad()
def test_a_window_without_touches_is_fine(network):
    conditions = batch(touches=0)
    assert torch.isfinite(network(noise(), torch.zeros(3), network.context(conditions))).all()
    assert torch.isfinite(network.context(conditions, feel=torch.zeros(3, dtype=torch.bool))).all()


def test_a_new_network_says_nothing_and_learns_everywhere():
    torch.manual_seed(0)
    network = CompactNetwork(SMALL)
    conditions = batch()
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    for step in range(3):
        see, feel = torch.tensor([True, False, True]), torch.tensor([True, True, False])
        context = network.context(conditions, see, feel)
        context = torch.where(torch.tensor([True, True, False])[:, None, None], context, network.null_context(context))
        velocity = network(noise(), torch.rand(3), context)
        if step == 0:
            assert not velocity.any()
        (velocity - noise()).square().mean().backward()
        optimiser.step()
        if step < 2:
            optimiser.zero_grad()
    untouched = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert untouched == set()


def test_shapes_that_do_not_fit_are_named(network):
    context = network.context(batch())
    with pytest.raises(ValueError, match=r"x wanted \(3, 80, 80\) for a context of 40 tokens, got \(3, 80, 78\)"):
        network(noise()[..., :78], torch.zeros(3), context)
    with pytest.raises(ValueError, match=r"CompactConfig: dim wanted a multiple of 8 \(2 x heads\), got 30"):
        CompactConfig(dim=30)
