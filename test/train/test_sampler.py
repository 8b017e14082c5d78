"""The order of items."""

import numpy as np
import pytest

from hearing_hands_ros.train.config import OptimizerConfig
from hearing_hands_ros.train.optimizer import learning_rate
from hearing_hands_ros.train.sampler import Order, generator_of, seed_of


def test_every_item_comes_once_before_one_comes_again():
    picks = list(Order(10, 4, (0, 25), seed=1))
    seen = np.concatenate([pick.items for pick in picks]).reshape(10, 10)
    assert (np.sort(seen, axis=1) == np.arange(10)).all()
    assert len({tuple(turn) for turn in seen.tolist()}) == 10  # in another order each time


def test_a_run_that_goes_on_takes_what_the_whole_one_would_have_taken():
    whole, rest = list(Order(7, 3, (0, 12), seed=2)), list(Order(7, 3, (5, 12), seed=2))
    for one, two in zip(whole[5:], rest, strict=True):
        assert (one.items == two.items).all()
        assert one.seed == two.seed


def test_processes_share_a_batch_without_overlap():
    alone = Order(50, 6, (0, 8), seed=3)
    shares = [Order(50, 6, (0, 8), seed=3, rank=rank, processes=3) for rank in range(3)]
    for step in range(8):
        parts = [share.at(step) for share in shares]
        assert (np.concatenate([part.items for part in parts]) == alone.at(step).items).all()
        assert len({part.seed for part in parts}) == 3
    with pytest.raises(ValueError, match=r"multiple of the 4 processes, got 6"):
        Order(50, 6, (0, 8), seed=3, rank=0, processes=4)


def test_a_batch_may_hold_more_items_than_there_are():
    assert sorted(Order(3, 6, (0, 1), seed=0).at(0).items) == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="got none"):
        Order(0, 4, (0, 1), seed=0)


def test_seeds_differ_wherever_a_part_of_the_key_does():
    keys = [(seed, step, rank) for seed in range(4) for step in range(50) for rank in range(4)]
    assert len({seed_of(*key) for key in keys}) == len(keys)
    assert generator_of(1, 2).initial_seed() == generator_of(1, 2).initial_seed() == seed_of(1, 2)


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine():
    config = OptimizerConfig(learning_rate=0.1, warmup_steps=10, final_share=0.2)
    rates = [learning_rate(step, 111, config) for step in range(111)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) * 0.01)
    assert rates[10] == pytest.approx(0.1)
    assert rates[60] == pytest.approx(0.06)  # half-way between 0.1 and 0.02
    assert rates[110] == pytest.approx(0.02)
    assert learning_rate(150, 111, config) == pytest.approx(0.02)  # a run that goes on longer
    flat = OptimizerConfig(learning_rate=0.1, warmup_steps=0, schedule="constant")
    assert {learning_rate(step, 50, flat) for step in range(50)} == {0.1}
