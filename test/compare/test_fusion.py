import math

import numpy as np
import pytest

from hearing_hands_ros.compare.fusion import Fusion, combined


def normal_touches(count, generator):
    """Two scores that go together and one of its own, in units of their own."""
    a = generator.normal(size=count)
    b = 0.9 * a + math.sqrt(1 - 0.81) * generator.normal(size=count)
    c = generator.normal(size=count)
    return [{"db": 30.0 + 4.0 * x, "s": 0.01 + 0.002 * y, "nats": math.exp(z)} for x, y, z in zip(a, b, c, strict=True)]


def fitted(how, count=400):
    return Fusion.fit(how, ["db", "s", "nats"], normal_touches(count, np.random.default_rng(0)))


def test_scores_in_any_unit_count_alike():
    fusion = fitted("max")
    for name, odd in (("db", 30.0 + 4.0 * 3), ("s", 0.01 + 0.002 * 3)):
        assert fusion.normal_score(name, odd) == pytest.approx(3.0, abs=0.5)
    z = [fusion.normal_score("nats", value) for value in (0.1, 0.5, 1.0, 3.0, 10.0, 1e3, 1e6)]
    assert z == sorted(z)
    assert len(set(z)) == len(z)  # what is far out is not cut off


@pytest.mark.parametrize("how", ["max", "mahalanobis"])
def test_one_odd_score_is_enough_and_a_better_one_does_not_count(how):
    fusion = fitted(how)
    middle = {"db": 30.0, "s": 0.01, "nats": 1.0}
    assert fusion.score({**middle, "nats": 60.0}) > fusion.score(middle) + 1.0
    assert fusion.score({**middle, "nats": 0.01}) == pytest.approx(fusion.score(middle), abs=0.3)


def test_mahalanobis_finds_scores_that_part_and_max_does_not():
    together, apart = {"db": 38.0, "s": 0.014, "nats": 1.0}, {"db": 38.0, "s": 0.010, "nats": 1.0}
    assert fitted("mahalanobis").score(apart) > fitted("mahalanobis").score(together) + 0.5
    assert fitted("max").score(apart) <= fitted("max").score(together)


@pytest.mark.parametrize("how", ["max", "mahalanobis"])
def test_scores_that_are_missing_are_done_without(how):
    fusion = fitted(how)
    odd = {"db": 60.0, "s": math.nan}
    assert fusion.score(odd) > fusion.score({"db": 30.0})
    assert fusion.score({"db": math.inf, "s": 0.0}) == math.inf
    assert math.isnan(fusion.score({"s": math.nan, "other": 3.0}))


def test_what_cannot_be_fitted_is_refused():
    touches = normal_touches(60, np.random.default_rng(0))
    with pytest.raises(ValueError, match="wanted 40 normal touches or more that have all of db, other, got 0"):
        Fusion.fit("max", ["db", "other"], touches)
    with pytest.raises(ValueError, match="same wanted 4 finite quantiles that rise"):
        Fusion.fit("max", ["same"], [{"same": 0.0}] * 60)
    with pytest.raises(ValueError, match="how wanted"):
        Fusion.fit("mean", ["db"], touches)
    with pytest.raises(ValueError, match="got none"):
        Fusion("max", {}, ())


def test_combined_p_values_by_hand():
    assert combined([0.01, 0.5, math.nan], "bonferroni") == 0.02
    assert combined([0.6, 0.9], "bonferroni") == 1.0
    assert combined([0.05], "fisher") == pytest.approx(0.05)
    assert combined([0.05], "cauchy") == pytest.approx(0.05)
    assert combined([0.03] * 5, "cauchy") == pytest.approx(0.03)
    assert combined([0.001, 1.0], "cauchy") == pytest.approx(0.002, rel=0.2)
    assert combined([1e-12] * 3, "cauchy") == pytest.approx(1e-12)
    assert math.isnan(combined([math.nan], "fisher"))


@pytest.mark.parametrize(("how", "related"), [("bonferroni", 0.9), ("cauchy", 0.9), ("cauchy", 0.0), ("fisher", 0.0)])
def test_combined_p_values_keep_the_false_alarm_rate(how, related):
    generator = np.random.default_rng(7)
    z = math.sqrt(related) * generator.normal(size=(6000, 1))
    z = z + math.sqrt(1 - related) * generator.normal(size=(6000, 4))
    ranks = (np.argsort(np.argsort(z, axis=0), axis=0) + 0.5) / len(z)
    rate = np.mean([combined(row, how) <= 0.05 for row in ranks])
    assert rate <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / len(z))
    assert rate > 0.01


def test_impossible_p_values_are_refused():
    with pytest.raises(ValueError, match=r"combined: p-values wanted more than 0, up to 1, got \[0.0\]"):
        combined([0.0], "fisher")
    with pytest.raises(ValueError, match="how wanted"):
        combined([0.5], "stouffer")
