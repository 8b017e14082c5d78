"""Parts that are faster on a CPU give what the plain ones give."""

import numpy as np
import pytest
import reference
import torch
from torch import nn

from hearing_hands_ros.model.published import acceleration
from hearing_hands_ros.model.published.acceleration import accelerate
from hearing_hands_ros.model.published.bigvgan import AntiAliasedSnake
from hearing_hands_ros.model.published.fused_snake import FusedSnake
from hearing_hands_ros.model.published.tiled_conv import TiledConv1d, fourier


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kernel", [3, 5, 7, 9, 11])
@pytest.mark.parametrize("dilation", [1, 3, 5])
@pytest.mark.parametrize("length", [1, 40, 251])
def test_a_tiled_convolution_is_the_convolution(kernel: int, dilation: int, length: int) -> None:
    conv = nn.Conv1d(6, 10, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)
    x = random(2, 6, length)
    wanted = conv(x)
    tiled = TiledConv1d(conv)
    assert reference.error(tiled(x), wanted) < 1e-5
    assert reference.error(tiled(x.transpose(1, 2).contiguous().transpose(1, 2)), wanted) < 1e-5


def test_a_tiled_convolution_without_padding_or_bias_is_the_convolution() -> None:
    conv = nn.Conv1d(6, 10, 5, bias=False)
    assert reference.error(TiledConv1d(conv)(random(2, 6, 33)), conv(random(2, 6, 33))) < 1e-5


def test_products_in_bfloat16_are_within_a_hundredth() -> None:
    conv = nn.Conv1d(64, 64, 9, padding=4)
    x = random(1, 64, 100)
    difference = TiledConv1d(conv, torch.bfloat16)(x) - conv(x)
    assert float(difference.std() / conv(x).std()) < 0.01


@pytest.mark.parametrize("kernel", [3, 7, 9, 11])
def test_tiles_take_fewer_products_than_the_sum(kernel: int) -> None:
    after, taps, before = fourier(2 * kernel, kernel)
    assert len(taps) / len(after) < min(kernel, 3)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=2 * kernel), rng.normal(size=kernel)
    assert np.allclose(after @ ((taps @ w) * (before @ x)), np.correlate(x, w, "valid"), atol=1e-12)


def test_a_strided_convolution_is_not_tiled() -> None:
    with pytest.raises(ValueError, match="TiledConv1d: wanted stride 1"):
        TiledConv1d(nn.Conv1d(4, 4, 3, stride=2))


@pytest.mark.parametrize(("channels", "length"), [(3, 1), (3, 7), (40, 3000)])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_fused_activation_is_the_activation(channels: int, length: int, threads: int) -> None:
    snake = AntiAliasedSnake(channels)
    filters = {name: buffer for name, buffer in reference.vocoder().named_buffers() if "activation_post" in name}
    for name, buffer in snake.named_buffers():
        buffer.copy_(filters[f"activation_post.{name}"])
    snake.act.alpha.copy_(random(channels))
    snake.act.beta.copy_(random(channels).flip(0))
    x = 5.0 * random(2, channels, length)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert reference.error(FusedSnake(snake)(x), snake(x)) < 1e-4
    finally:
        torch.set_num_threads(before)


def test_acceleration_leaves_narrow_and_pointwise_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "NARROWEST", 16)
    network = nn.Sequential(nn.Conv1d(16, 16, 3), nn.Sequential(nn.Conv1d(16, 8, 3), nn.Conv1d(16, 16, 1)))
    accelerate(network)
    assert [type(part).__name__ for part in (network[0], *network[1])] == ["TiledConv1d", "Conv1d", "Conv1d"]
