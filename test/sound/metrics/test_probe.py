"""The probe learns what is there to learn, and nothing else."""

import numpy as np
import pytest

from hearing_hands_ros.sound.metrics.probe import LinearProbe, cross_validated


def clouds(apart, per_class=40, dim=20, seed=0):
    """Three classes, `apart` standard deviations from each other on an axis each."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(3 * per_class, dim))
    labels = np.repeat(["glass", "metal", "wood"], per_class)
    for i in range(3):
        vectors[i * per_class : (i + 1) * per_class, i] += apart
    return vectors, labels.tolist()


def test_classes_that_are_apart_are_told_apart_and_ones_that_are_not_are_guessed():
    fresh, wanted = clouds(6.0, seed=1)
    probe = LinearProbe.fit(*clouds(6.0))
    assert np.mean(probe.predict(fresh) == wanted) > 0.99
    probe = LinearProbe.fit(*clouds(0.0))
    assert np.mean(probe.predict(fresh) == wanted) < 0.5


def test_scale_and_offset_of_a_dimension_do_not_matter():
    vectors, labels = clouds(2.0)
    fresh, _ = clouds(2.0, seed=1)
    scale, offset = np.geomspace(1e-3, 1e3, 20), np.linspace(-50, 50, 20)
    plain = LinearProbe.fit(vectors, labels).predict(fresh)
    moved = LinearProbe.fit(vectors * scale + offset, labels).predict(fresh * scale + offset)
    assert np.array_equal(plain, moved)


def test_more_dimensions_than_vectors_and_a_dead_dimension_are_no_trouble():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(12, 400))
    vectors[:6, :40] += 3.0
    vectors[:, 7] = 1.0
    labels = ["a"] * 6 + ["b"] * 6
    assert LinearProbe.fit(vectors, labels).predict(vectors).tolist() == labels


def test_copies_in_a_group_do_not_help_cross_validation():
    """Labels are random: whoever sees the copies of a vector tells its label, whoever does not must guess."""
    generator = np.random.default_rng(0)
    originals = generator.normal(size=(40, 30))
    labels = np.repeat(generator.permutation(["a", "b"] * 20), 5).tolist()
    vectors = np.repeat(originals, 5, axis=0)
    groups = np.repeat([f"g{i:02d}" for i in range(40)], 5).tolist()
    assert cross_validated(vectors, labels, groups).mean() < 0.7
    assert cross_validated(vectors, labels, [str(i) for i in range(200)]).mean() > 0.85


def test_what_cannot_be_learnt_is_refused():
    vectors, labels = clouds(1.0)
    with pytest.raises(ValueError, match="two classes"):
        LinearProbe.fit(vectors, ["wood"] * len(vectors))
    with pytest.raises(ValueError, match="one for each of 120"):
        LinearProbe.fit(vectors, labels[:-1])
    with pytest.raises(ValueError, match="20 numbers each, got 19"):
        LinearProbe.fit(vectors, labels).predict(vectors[:, :19])
    with pytest.raises(ValueError, match="two groups"):
        cross_validated(vectors, labels, ["one"] * len(vectors))
