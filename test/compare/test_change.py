import itertools
import math

import numpy as np
import pytest

from hearing_hands_ros.compare.change import ChangeAlarm, log_bet, mean_run_length, threshold_for
from hearing_hands_ros.compare.conformal import ConformalCalibration, NormalTouch
from hearing_hands_ros.compare.groups import ContactGroups
from hearing_hands_ros.compare.running import LEAST, RunningReference

TAP, OTHER_TAP = ContactGroups().groups("tap")


def calibration(values, group=TAP):
    return ConformalCalibration.of("a test", [NormalTouch(group, {"a": float(v)}) for v in values])


def run_of(alarm, p_values):
    """Touches until the alarm."""
    for count, p in enumerate(itertools.islice(p_values, 100_000), 1):
        if alarm.update(p):
            return count
    raise AssertionError("wanted an alarm, got none")


def endless(draw):
    while True:
        yield draw()


def conformal_run(run_length, touches, generator, later=lambda generator: generator.random()):
    """Length of one run against one calibration of its own."""
    reference = RunningReference(calibration(generator.random(touches)), "a", generator)
    alarm = ChangeAlarm(run_length)
    return run_of(alarm, endless(lambda: reference.update(later(generator), TAP)))


def test_bets_are_fair():
    steps = (np.arange(200_000) + 0.5) / 200_000
    assert np.mean([math.exp(log_bet(p)) for p in steps]) == pytest.approx(1.0, abs=1e-3)
    assert log_bet(0.0) > log_bet(0.01) > log_bet(0.15) > 0.0 > log_bet(0.9)


@pytest.mark.parametrize("run_length", [30, 100, 300])
def test_stated_run_length_is_kept_on_uniform_p_values(run_length):
    generator = np.random.default_rng(0)
    alarm = ChangeAlarm(run_length)
    runs = [run_of(alarm, endless(generator.random)) for _ in range(300)]
    assert np.mean(runs) == pytest.approx(run_length, rel=0.2)
    assert alarm.alarms == 300


@pytest.mark.parametrize(("run_length", "touches"), [(100, 99), (300, 99), (300, 200)])
def test_stated_run_length_is_kept_over_many_calibrations(run_length, touches):
    generator = np.random.default_rng(1)
    runs = [conformal_run(run_length, touches, generator) for _ in range(200)]
    assert run_length / 1.5 < np.mean(runs) < run_length * 1.5
    assert np.median(runs) == pytest.approx(0.69 * run_length, rel=0.3)


@pytest.mark.parametrize(("power", "most"), [(0.5, 20.0), (0.2, 6.0)])
def test_a_change_is_found_soon(power, most):
    generator = np.random.default_rng(2)
    delays = [conformal_run(300, 99, generator, lambda g: 1.0 - g.random() ** (1.0 / power)) for _ in range(150)]
    assert np.mean(delays) < most


def test_a_weak_change_is_found_sooner_than_by_single_touches_with_as_many_false_alarms():
    generator = np.random.default_rng(3)
    delays = [conformal_run(300, 200, generator, lambda g: 1.0 - g.random() ** 2.0) for _ in range(150)]
    single = 1.0 / math.sqrt(1.0 / 300.0)  # p <= 1/300 has probability 300^-0.5 under p = u^2
    assert np.mean(delays) < 0.9 * single


def test_after_an_alarm_it_begins_anew_and_a_change_that_stays_alarms_again():
    generator = np.random.default_rng(4)
    reference = RunningReference(calibration(generator.random(99)), "a", generator)
    alarm = ChangeAlarm(1000)
    times = []
    for touch in range(100):
        if alarm.update(reference.update(1.0 - generator.random() ** 5.0, TAP)):
            reference.forget()
            times.append(touch)
            assert (alarm.statistic, alarm.touches, alarm.rising) == (0.0, 0, 0)
            assert reference.count(TAP) == 99
    assert alarm.alarms == len(times) >= 8
    assert max(np.diff(times)) < 30


def test_nan_says_nothing_and_other_numbers_are_refused():
    alarm = ChangeAlarm(100)
    alarm.update(0.05)
    before = alarm.statistic
    assert not alarm.update(math.nan)
    assert (alarm.statistic, alarm.touches) == (before, 1)
    for p in (-0.1, 1.1, math.inf):
        with pytest.raises(ValueError, match="p wanted 0 to 1"):
            alarm.update(p)


def test_state_is_there_for_diagnostics():
    alarm = ChangeAlarm(100)
    for p in (0.9, 0.2, 0.1):
        alarm.update(p)
    assert 0.0 < alarm.statistic < alarm.threshold
    assert alarm.rising == 2
    assert str(alarm).startswith(f"{alarm.statistic:.2f} of {alarm.threshold:.2f}, rising for 2 touches, 0 alarms")
    alarm.reset()
    assert (alarm.statistic, alarm.touches) == (0.0, 0)


def test_threshold_is_the_same_every_time_and_grows_with_the_run_length():
    assert threshold_for(100.0) < threshold_for(300.0) < math.log(300.0)
    threshold_for.cache_clear()
    assert mean_run_length(threshold_for(300.0), 400, 8000) == pytest.approx(300.0, rel=0.01)
    for impossible in (9, 2e6, math.nan):
        with pytest.raises(ValueError, match="run_length wanted 10 to 1000000"):
            ChangeAlarm(impossible)


def test_running_p_values_are_uniform_and_their_alarms_binomial_for_a_small_calibration():
    generator = np.random.default_rng(5)
    reference = RunningReference(calibration(np.zeros(25)), "a", generator)
    for _ in range(3000):  # ties too: the calibration has nothing but
        reference.update(0.0, TAP)
    p = np.array([reference.update(0.0, TAP) for _ in range(1500)])
    assert np.mean(p <= 0.1) == pytest.approx(0.1, abs=0.02)


def test_running_alarms_do_not_share_the_accidents_of_the_calibration():
    generator = np.random.default_rng(6)
    rates = []
    for _ in range(150):
        reference = RunningReference(calibration(generator.random(99)), "a", generator)
        rates.append(np.mean([reference.update(generator.random(), TAP) <= 0.05 for _ in range(400)]))
    assert np.mean(rates) == pytest.approx(0.05, abs=0.004)
    # One calibration that stays would make this 0.024.
    assert np.std(rates) == pytest.approx(math.sqrt(0.05 * 0.95 / 400), rel=0.2)


def test_running_reference_knows_groups_apart_and_is_silent_about_new_ones():
    generator = np.random.default_rng(7)
    reference = RunningReference(calibration(range(99)), "a", generator)
    assert reference.update(1000.0, TAP) <= 0.01
    silent = [reference.update(1000.0, OTHER_TAP) for _ in range(LEAST)]
    assert all(map(math.isnan, silent))
    assert 0.0 < reference.update(0.0, OTHER_TAP) <= 1.0
    assert math.isnan(reference.update(math.nan, TAP))
    assert (reference.count(TAP), reference.count(OTHER_TAP)) == (100, LEAST + 1)
    with pytest.raises(KeyError, match="RunningReference: wanted one of"):
        RunningReference(calibration(range(9)), "b", generator)
