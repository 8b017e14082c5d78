import math

import numpy as np
import pytest
import yaml
from scipy.stats import binomtest, kstest

from hearing_hands_ros.compare.conformal import FUSED, ConformalCalibration, NormalTouch
from hearing_hands_ros.compare.drift import DriftReference, TouchLevels
from hearing_hands_ros.compare.fusion import Fusion
from hearing_hands_ros.compare.groups import ContactGroups, group_text
from hearing_hands_ros.compare.ranks import divided, rank_p_value, realised_rates
from hearing_hands_ros.predictors.protocol import Contact

SLOW_TAP, FAST_TAP = ContactGroups().groups("tap")
SLOW_SLIDE, FAST_SLIDE = ContactGroups().groups("slide")


def contact(kind, approach, slide):
    return Contact(0, 10**8, 1, "wood", (0, 0, 0), (0, 0, 1), approach, slide, kind)


def of(values, group=SLOW_TAP, name="log_mel"):
    return ConformalCalibration.of("a test", [NormalTouch(group, {name: v}) for v in values])


def drawn_p_values(draw, generator, lots, touches=99, count=8000):
    """P-values of one new touch for each of many calibrations."""
    rows = draw((count, touches + 1))
    return np.array([rank_p_value(sorted(row[1:]), row[0], generator if lots else None) for row in rows])


def within_binomial(alarms, count, alpha):
    interval = binomtest(round(alpha * count), count).proportion_ci(0.95, method="exact")
    return interval.low <= alarms / count <= interval.high


def test_p_value_counts_touches_at_least_as_odd():
    c = of([1.0, 2.0, 2.0, 3.0])
    got = [c.p_value("log_mel", v, SLOW_TAP, 0.2).value for v in (0.0, 1.0, 2.0, 2.5, 3.0, 9.0, math.inf)]
    assert got == [1.0, 1.0, 0.8, 0.4, 0.4, 0.2, 0.2]
    assert math.isnan(c.p_value("log_mel", math.nan, SLOW_TAP, 0.2).value)


@pytest.mark.parametrize("ties", [False, True])
def test_p_values_of_normal_touches_are_uniform(ties):
    generator = np.random.default_rng(1)

    def draw(shape):
        scores = np.exp(2.0 * generator.normal(size=shape))
        return np.ceil(scores) if ties else scores  # half of the touches share the lowest score

    p = drawn_p_values(draw, generator, lots=True)
    assert kstest(p, "uniform").pvalue > 0.05
    for alpha in (0.01, 0.05, 0.1):
        assert within_binomial(np.count_nonzero(p <= alpha), len(p), alpha)


def test_without_lots_ties_make_p_values_larger_never_smaller():
    generator = np.random.default_rng(2)
    p = drawn_p_values(lambda shape: generator.integers(0, 3, shape), generator, lots=False)
    for alpha in (0.05, 0.2, 0.5):
        assert np.mean(p <= alpha) <= alpha
    assert np.mean(p == 1.0) > 0.3


def test_false_alarm_rate_of_one_calibration_lies_where_it_is_said_to():
    generator = np.random.default_rng(3)
    rates = []
    for _ in range(400):
        c = sorted(generator.random(199))
        rates.append(np.mean([rank_p_value(c, v) <= 0.05 for v in generator.random(2000)]))
    low, high = realised_rates(0.05, 199)
    assert 0.02 < low < 0.03 < 0.08 < high < 0.09
    assert np.mean([low <= rate <= high for rate in rates]) > 0.92
    assert realised_rates(0.01, 98) == (0.0, 0.0)


def test_a_touch_is_compared_with_those_of_its_kind_and_speed():
    quiet, loud = np.arange(99.0), 1000.0 + np.arange(99.0)
    touches = [NormalTouch(SLOW_TAP, {"a": v}) for v in quiet] + [NormalTouch(FAST_TAP, {"a": v}) for v in loud]
    c = ConformalCalibration.of("a test", touches)
    slow, fast = (c.p_value("a", 500.0, group, 0.01) for group in (SLOW_TAP, FAST_TAP))
    assert (slow.value, slow.group, slow.touches, slow.note) == (0.01, SLOW_TAP, 99, "")
    assert fast.value == 1.0
    assert (c.count("a"), c.count("a", ("tap",)), c.count("a", ("slide",))) == (198, 198, 0)


def test_group_with_too_few_is_compared_with_its_kind_then_with_all_and_says_so():
    touches = [NormalTouch(SLOW_TAP, {"a": float(v)}) for v in range(99)]
    touches += [NormalTouch(FAST_TAP, {"a": 500.0})] * 3 + [NormalTouch(FAST_SLIDE, {"a": 900.0})] * 98
    c = ConformalCalibration.of("a test", touches)
    fast = c.p_value("a", 600.0, FAST_TAP, 0.01)
    assert (fast.group, fast.touches, fast.value) == (("tap",), 102, 1 / 103)
    assert fast.note == "tap 0.3.. m/s: wanted 99 normal touches for alpha 0.01, got 3: compared with tap"
    slide = c.p_value("a", 900.0, FAST_SLIDE, 0.01)
    assert (slide.group, slide.touches, slide.value) == ((), 200, 99 / 201)
    assert "compared with all touches" in slide.note
    assert c.p_value("a", 900.0, FAST_SLIDE, 0.05).note == ""
    assert [text.split(":")[0] for text in c.shortages("a", 0.01)] == [
        group_text(group) for group in (SLOW_SLIDE, FAST_SLIDE, FAST_TAP)
    ]


def test_too_few_touches_are_refused_and_the_missing_are_counted():
    of(range(99)).check("log_mel", 0.01)
    with pytest.raises(ValueError, match="wanted 99 normal touches or more for alpha 0.01, got 57: 42 are missing"):
        of(range(57)).check("log_mel", 0.01)
    with pytest.raises(ValueError, match="1 are missing"):
        of(range(98)).p_value("log_mel", 3.0, SLOW_TAP, 0.01)
    with pytest.raises(ValueError, match="log_mel wanted 99 .* got 0"):
        of([math.nan] * 99).check("log_mel", 0.01)
    with pytest.raises(ValueError, match="alpha"):
        of(range(99)).check("log_mel", 1.0)
    with pytest.raises(KeyError, match="log_mel"):
        of(range(99)).p_value("other", 3.0, SLOW_TAP, 0.01)


def test_touches_of_unknown_groups_and_infinite_scores_are_no_calibration():
    with pytest.raises(ValueError, match="log_mel wanted the groups .*, got poke"):
        of([1.0], ("poke",))
    with pytest.raises(ValueError, match="log_mel of tap ..0.3 m/s: wanted finite scores"):
        of([1.0, math.inf])


def test_groups_follow_the_speed_that_makes_the_sound():
    groups = ContactGroups()
    assert groups.of(contact("tap", 0.1, 9.0)) == SLOW_TAP
    assert groups.of(contact("tap", 0.3, 0.0)) == FAST_TAP
    assert groups.of(contact("slide", 9.0, 0.1)) == SLOW_SLIDE
    assert groups.of(contact("slide", 0.0, 0.25)) == FAST_SLIDE
    assert ContactGroups({"tap": (), "slide": (0.1, 0.2)}).every == (
        ("slide", "..0.1 m/s"),
        ("slide", "0.1..0.2 m/s"),
        ("slide", "0.2.. m/s"),
        ("tap",),
    )


@pytest.mark.parametrize("bounds", [{"tap": (0.3,)}, {"tap": (0.3, 0.2), "slide": ()}, {"tap": (0.0,), "slide": ()}])
def test_bounds_that_do_not_ascend_are_refused(bounds):
    with pytest.raises(ValueError, match="ContactGroups: .* wanted .* got"):
        ContactGroups(bounds)


def test_fused_score_keeps_its_false_alarm_rate_where_fit_and_calibration_are_apart():
    generator = np.random.default_rng(4)
    mixing = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.0], [0.0, 0.0, 1.0]])
    alarms, judged = 0, 0
    for _ in range(150):
        scores = generator.normal(size=(190, 3)) @ mixing
        scores[:, 2] = np.exp(scores[:, 2])
        touches = [NormalTouch(SLOW_TAP, dict(zip("abc", row, strict=True))) for row in scores]
        fitted, rest = divided(touches[:159], 60, generator)
        fusion = Fusion.fit("mahalanobis", "abc", [touch.scores for touch in fitted])
        c = ConformalCalibration.of("a test", rest, fusion=fusion)
        for touch in touches[159:]:
            p = c.p_value(FUSED, c.with_fused(touch.scores)[FUSED], SLOW_TAP, 0.05, generator)
            alarms, judged = alarms + (p.value <= 0.05), judged + 1
    # Touches of one calibration share its accidents: the spread is that of 150 draws, not of 4650.
    assert alarms / judged == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 99 / 150 + 0.05 * 0.95 / judged))


def whole():
    generator = np.random.default_rng(5)
    touches = [
        NormalTouch(group, {"a": generator.normal(), "b": generator.gamma(2.0)})
        for group in (SLOW_TAP, FAST_SLIDE)
        for _ in range(60)
    ]
    fitted, rest = divided(touches, 50, generator)
    fusion = Fusion.fit("max", ["a", "b"], [touch.scores for touch in fitted])
    reference = DriftReference.of([TouchLevels(generator.normal(), math.nan, (-60.0,) * 6) for _ in range(20)])
    return ConformalCalibration.of("a whole one", rest, fusion=fusion, reference=reference)


def test_saved_is_loaded_again_to_the_last_bit(tmp_path):
    c = whole()
    c.save(tmp_path / "c.yaml")
    again = ConformalCalibration.load(tmp_path / "c.yaml")
    assert again == c
    assert again.of_group(FUSED, ("tap",)) == c.of_group(FUSED, ("tap",))
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def set_at(document, path, value):
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (["format"], "hearing_hands_ros/calibration/1", "format wanted 'hearing_hands_ros/calibration/2', got"),
        (["extra"], 1, "wanted the fields"),
        (["source"], 3, "source: wanted text, got 3"),
        (["groups"], [], "groups: wanted a mapping"),
        (["groups", "tap"], [0.3, 0.2], "tap wanted ascending"),
        (["scores"], None, "scores: wanted a mapping"),
        (["scores", "a", "poke"], [1.0], "scores.a wanted the groups .* got 'poke'"),
        (["scores", "a", "tap ..0.3 m/s"], ["x"], "scores.a.tap ..0.3 m/s: wanted a list of numbers"),
        (["scores", "a", "tap ..0.3 m/s"], [math.nan], "wanted finite"),
        (["scores", "a", "tap ..0.3 m/s"], [2.0, 1.0], "wanted ascending"),
        (["scores", "a", "tap ..0.3 m/s"], [True], "wanted a list of numbers"),
        (["fusion"], None, "'fused' and a fusion together"),
        (["fusion", "how"], "mean", "how wanted one of"),
        (["fusion", "knots", "a"], [0.0, 1.0], "wanted 4 numbers, got 2"),
        (["fusion", "knots", "a"], [0.0, 1.0, 1.0, 2.0], "a wanted 4 finite quantiles that rise"),
        (["fusion", "correlation"], [[1.0, 2.0], [2.0, 1.0]], "positive definite"),
        (["reference", "microphone gain"], [1.0], "reference.microphone gain: wanted 2 numbers"),
        (["reference", "microphone gain"], [1.0, -1.0], "spread wanted at least 0"),
        (["reference", "mood"], [1.0, 1.0], "reference: wanted some of .* got"),
    ],
)
def test_file_that_is_no_calibration_is_refused(tmp_path, path, value, what):
    file = tmp_path / "c.yaml"
    whole().save(file)
    document = yaml.safe_load(file.read_text())
    set_at(document, path, value)
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(ValueError, match=what):
        ConformalCalibration.load(file)


@pytest.mark.parametrize("content", [b"", b"a: [", b"\xff\xfe", b"!!python/object/apply:os.getcwd []", b"- 1"])
def test_what_is_no_document_is_refused(tmp_path, content):
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"ConformalCalibration\('c.yaml'\): .*wanted"):
        ConformalCalibration.load(tmp_path / "c.yaml")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"c\.yaml"):
        ConformalCalibration.load(tmp_path / "c.yaml")


def test_touches_are_divided_without_one_on_both_sides():
    first, rest = divided(range(100), 40, np.random.default_rng(0))
    assert (len(first), sorted(first + rest)) == (40, list(range(100)))
    assert first != list(range(40))
    with pytest.raises(ValueError, match="divided: wanted 0 to 100 touches .* got 101"):
        divided(range(100), 101, np.random.default_rng(0))
