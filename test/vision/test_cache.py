from __future__ import annotations

import numpy as np

from hearing_hands_ros.vision.cache import POSITION_STEP_M, FeatureCache, pose_key


class MeanColour:
    """An encoder whose feature is the mean colour."""

    name, dim, image_size, licence = "mean", 3, 8, "none"

    def __init__(self) -> None:
        self.seen = 0

    def encode(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        return images.mean(axis=(1, 2)).astype(np.float32)


def pictures(which: list[int]) -> np.ndarray:
    return np.stack([np.full((8, 8, 3), index, np.uint8) for index in which])


def test_what_was_seen_is_not_rendered_again() -> None:
    cache = FeatureCache(MeanColour())
    first = cache.encode(["a", "b", "a"], pictures)
    assert cache.encoder.seen == 2
    second = cache.encode(["b", "a"], lambda which: 1 / 0)
    np.testing.assert_array_equal(second, first[[1, 0]])
    assert (cache.hits, cache.misses) == (3, 2)


def test_it_asks_for_the_views_that_are_missing() -> None:
    cache = FeatureCache(MeanColour())
    cache.encode(["a"], pictures)
    features = cache.encode(["x", "a", "y"], pictures)
    np.testing.assert_array_equal(features[:, 0], [0, 0, 2])


def test_the_least_recently_used_is_forgotten() -> None:
    cache = FeatureCache(MeanColour(), largest=2)
    cache.encode(["a", "b"], pictures)
    cache.encode(["a"], pictures)
    cache.encode(["c"], pictures)
    cache.encode(["a"], lambda which: 1 / 0)
    assert cache.encoder.seen == 3
    cache.encode(["b"], pictures)
    assert cache.encoder.seen == 4


def test_one_call_may_ask_for_more_than_is_kept() -> None:
    cache = FeatureCache(MeanColour(), largest=2)
    assert cache.encode(list("abcde"), pictures).shape == (5, 3)


def test_poses_within_the_tolerance_are_one() -> None:
    hand = np.arange(63.0).reshape(21, 3) * POSITION_STEP_M
    assert pose_key(hand) == pose_key(hand + 0.4 * POSITION_STEP_M)
    assert pose_key(hand) != pose_key(hand + 0.6 * POSITION_STEP_M)
    assert pose_key(np.full(3, np.nan)) == pose_key(np.full(3, np.inf))
