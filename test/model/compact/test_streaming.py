"""Spectrograms that go on and on."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the generator needs PyTorch")

from hearing_hands_ros.model.compact.conditions import HAND_CHANNELS, TOUCH_CHANNELS, Conditions  # noqa: E402
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig  # noqa: E402
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling  # noqa: E402
from hearing_hands_ros.model.compact.network import CompactNetwork  # noqa: E402
from hearing_hands_ros.model.compact.noise import noise_of_frames  # noqa: E402
from hearing_hands_ros.model.compact.streaming import MelStream  # noqa: E402
from hearing_hands_ros.sequence import SequenceConfig  # noqa: E402

SMALL = CompactConfig(feature_dim=12, dim=16, depth=1, heads=1, reach=8)
CHUNK, HORIZON, CONTEXT = 8, 8, 31
FIRST = 10**6  # a token of no special time
MEMORY = 60.0  # frames over which a `Persistent` sound changes


class Persistent(torch.nn.Module):
    """The exact velocity of sounds that change slowly: each band an Ornstein-Uhlenbeck process.

    E[x1 - x0 | x_t] of a Gaussian process x1 with covariance C = exp(-|i - j| / MEMORY): of every draw it is known how
    alike two frames are, so a seam stands out.
    """

    config = CompactConfig(feature_dim=12)

    def context(self, batch, see, feel):
        return batch.hands

    def forward(self, x, t, context, tokens=None):
        place, t = torch.arange(x.shape[-1]), float(t[0])
        alike, one = torch.exp(-(place[:, None] - place).abs() / MEMORY), torch.eye(x.shape[-1])
        with torch.autocast("cpu", enabled=False):
            return x @ torch.linalg.solve(t * t * alike + (1 - t) ** 2 * one, t * alike - (1 - t) * one)


class Forgetful(MelStream):
    """Does not go on from what was given out."""

    def _draw(self, window, noise, past):
        return super()._draw(window, noise, past[:0])


class Restless(MelStream):
    """New noise for every window."""

    def _noise(self, first, frames):
        return noise_of_frames(first, frames, 80, self.next)


def generator_of(network, steps=4):
    mean, std = torch.full((80,), -2.0), torch.full((80,), 0.5)
    return CompactGenerator(network, mean, std, SequenceConfig(), Sampling(steps), "made_up", "cpu")


@pytest.fixture(scope="module")
def random_weights():
    torch.manual_seed(0)
    network = CompactNetwork(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return generator_of(network)


def conditions(tokens, touches=3, seed=0):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    touched = rng.integers(0, touches + 1, (tokens, 2))
    return Conditions(
        draw(tokens, 2 * HAND_CHANNELS), draw(tokens, 2 * TOUCH_CHANNELS), touched, draw(touches, 12), draw(12)
    )


def stream_of(generator, kind=MelStream):
    stream = kind(generator, CHUNK, HORIZON, CONTEXT)
    stream.begin(FIRST)
    return stream


def seam(mel):
    """Mean change where pieces meet over that between other tokens."""
    change = np.abs(np.diff(mel, axis=1)).mean(axis=0)[PATCH - 1 :: PATCH]
    meets = np.arange(1, len(change) + 1) % CHUNK == 0
    return change[meets].mean() / change[~meets].mean()


@pytest.mark.parametrize("tokens", [1, 7, 8, 23, 400])
def test_pushes_of_any_size_give_the_same(random_weights, tokens):
    whole = conditions(200)
    at_once = stream_of(random_weights).push(FIRST, whole)
    assert at_once.shape == (80, PATCH * CHUNK * ((200 - HORIZON) // CHUNK))
    stream, pieces = stream_of(random_weights), []
    for end in range(tokens, 200 + tokens, tokens):
        first = max(end - tokens - CHUNK - HORIZON - CONTEXT, 0)  # sliding windows
        pieces.append(stream.push(FIRST + first, whole.part(first, end)))
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), at_once, atol=1e-5)


def test_what_was_given_out_is_what_the_next_window_draws(random_weights):
    class Watched(MelStream):
        def _draw(self, window, noise, past):
            mel, moves = super()._draw(window, noise, past)
            windows.append((self.next - (past[0].shape[-1] // PATCH if past else 0), mel))
            return mel, moves

    windows: list[tuple[int, np.ndarray]] = []
    stream = stream_of(random_weights, Watched)
    given = stream.push(FIRST, conditions(120))
    assert len(windows) == given.shape[1] // (PATCH * CHUNK)
    for index, (begin, mel) in enumerate(windows):
        before = slice(PATCH * (begin - FIRST), PATCH * CHUNK * index)
        np.testing.assert_allclose(mel[:, : before.stop - before.start], given[:, before], atol=1e-4)


def test_a_change_of_the_past_or_of_the_far_future_changes_nothing_that_was_given_out(random_weights):
    whole, other = conditions(100), conditions(100, seed=1)
    one, two = stream_of(random_weights), stream_of(random_weights)
    known = CHUNK * 4 + HORIZON
    first = one.push(FIRST, whole.part(0, known))
    np.testing.assert_array_equal(two.push(FIRST, whole.part(0, known)), first)
    later = [stream.push(FIRST, made) for stream, made in ((one, whole), (two, other))]
    assert first.shape[1] == PATCH * CHUNK * 4
    assert np.abs(later[0] - later[1]).max() > 0.1


def test_pieces_meet_as_other_frames_do():
    generator = generator_of(Persistent())
    quiet = conditions(600)
    whole = generator.generate([quiet], [noise_of_frames(PATCH * FIRST, PATCH * 600, 80, 0)])[0]
    seams, far = {}, {}
    for kind in (MelStream, Forgetful, Restless):
        mel = stream_of(generator, kind).push(FIRST, quiet)
        seams[kind], far[kind] = seam(mel), np.abs(mel - whole[:, : mel.shape[1]]).mean()
    assert seams[MelStream] < 1.25
    assert seams[Forgetful] > 1.35
    assert seams[Restless] > 3.0
    assert far[MelStream] < 0.05  # of a spread of 0.5
    assert far[Restless] > 0.2


@pytest.mark.parametrize("tokens", [3, 16, 17, 50])
def test_what_nothing_follows_is_drawn_to_its_end(random_weights, tokens):
    whole = conditions(tokens)
    stream = stream_of(random_weights)
    pushed = stream.push(FIRST, whole.part(0, max(tokens - 5, 0)))
    left = stream.finish(FIRST, whole)
    assert pushed.shape[1] + left.shape[1] == PATCH * tokens
    alone = stream_of(random_weights).finish(FIRST, whole)
    np.testing.assert_allclose(np.concatenate([pushed, left], axis=1), alone, atol=1e-5)
    assert stream.finish(FIRST, whole).shape == (80, 0)


def test_one_piece_at_a_time_is_the_same(random_weights):
    whole, stream, pieces = conditions(60), stream_of(random_weights), []
    at_once = stream_of(random_weights).push(FIRST, whole)
    while stream.ready(FIRST + 60):
        pieces.append(stream.push(FIRST, whole, 1))
        assert pieces[-1].shape == (80, PATCH * CHUNK)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), at_once)


def test_a_gap_or_a_length_that_cannot_be_is_named(random_weights):
    stream = stream_of(random_weights)
    with pytest.raises(ValueError, match=f"first wanted at most {FIRST}, .* got {FIRST + 1}"):
        stream.push(FIRST + 1, conditions(40))
    with pytest.raises(ValueError, match="wanted chunk of 1 token or more, .* got 0, 8 and 8"):
        MelStream(random_weights, 0, 8, 8)


def test_without_horizon_and_context_it_works_too(random_weights):
    stream = MelStream(random_weights, 3, 0, 0)
    assert stream.push(0, conditions(10)).shape == (80, PATCH * 9)
    assert stream.push(8, conditions(10)).shape == (80, PATCH * 9)
