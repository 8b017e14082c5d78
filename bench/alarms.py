"""Whether p-values are uniform, false alarms as rare as asked for, and change alarms as far apart as stated.

    python bench/alarms.py

Scores are uniform: p-values are ranks, so their distribution does not matter. Under a change 1 - score ~ Beta(a, 1).
"""

from __future__ import annotations

import platform
import time

import numpy as np
from scipy.stats import binom, kstest

from hearing_hands_ros.compare.change import ChangeAlarm
from hearing_hands_ros.compare.conformal import ConformalCalibration, NormalTouch
from hearing_hands_ros.compare.groups import ContactGroups
from hearing_hands_ros.compare.ranks import rank_p_value, realised_rates
from hearing_hands_ros.compare.running import RunningReference

GROUP = ContactGroups().groups("tap")[0]
ALPHAS = (0.01, 0.05, 0.1)
SIZES = (99, 200, 500)
RUN_LENGTHS = (100, 300, 1000)


class StayingReference:
    """A calibration that learns nothing, to compare `RunningReference` with."""

    def __init__(self, calibration, name, generator):
        self._calibration, self._name, self._generator = calibration, name, generator

    def update(self, value, group):
        """P-value of a touch."""
        return rank_p_value(self._calibration.of_group(self._name, group), value, self._generator)

    def forget(self):
        """Nothing was learned."""


KINDS = {"stays": StayingReference, "learns": RunningReference}


def reference_of(kind, size, generator):
    """A reference whose calibration of `size` touches is drawn anew."""
    touches = [NormalTouch(GROUP, {"a": float(value)}) for value in generator.random(size)]
    return KINDS[kind](ConformalCalibration.of("drawn", touches), "a", generator)


def uniformity(count, generator):
    """One new touch for each of many calibrations."""
    print(f"\np-values, {count} calibrations with one new touch each; in brackets 95 % of binomial draws around alpha")
    print("touches  ties  lots   KS      " + "".join(f"p <= {alpha:<20g}" for alpha in ALPHAS))
    for size in SIZES:
        for ties in (False, True):
            for lots in (False, True):
                rows = generator.random((count, size + 1))
                if ties:
                    rows = np.maximum(np.round(rows, 1), 0.5)
                p = np.array([rank_p_value(np.sort(r[1:]), r[0], generator if lots else None) for r in rows])
                rates = []
                for alpha in ALPHAS:
                    low, high = binom.ppf((0.025, 0.975), count, alpha) / count
                    rates.append(f"{np.mean(p <= alpha):.4f} [{low:.4f}, {high:.4f}]    ")
                known = f"{size:7}  {'yes' if ties else 'no ':4}  {'yes' if lots else 'no ':4}"
                print(f"{known}  {kstest(p, 'uniform').statistic:.4f}  " + "".join(rates), flush=True)


def one_calibration(sets, touches, generator):
    """The rate over many touches that one calibration gives."""
    print(f"\nfalse-alarm rate of one calibration over {touches} touches, {sets} calibrations each")
    print("touches  alpha  reference  mean    2.5 % to 97.5 %   Beta's            in the binomial interval")
    for size in (*SIZES, 2000):
        for alpha in ALPHAS:
            low, high = binom.ppf((0.025, 0.975), touches, alpha) / touches
            for kind in KINDS:
                rates = []
                for _ in range(sets):
                    reference = reference_of(kind, size, generator)
                    rates.append(np.mean([reference.update(v, GROUP) <= alpha for v in generator.random(touches)]))
                a, b = np.quantile(rates, (0.025, 0.975))
                said = "{:.4f} to {:.4f}".format(*realised_rates(alpha, size)) if kind == "stays" else "-"
                within = np.mean([low <= rate <= high for rate in rates])
                known = f"{size:7}  {alpha:<5g}  {kind:9}  {np.mean(rates):.4f}"
                print(f"{known}  {a:.4f} to {b:.4f}  {said:16}  {within:.2f}", flush=True)


def first_alarm(reference, alarm, draw, most):
    """Touches until the alarm, `most` at most."""
    for count in range(1, most + 1):
        if alarm.update(reference.update(draw(count), GROUP)):
            return count
    return most


def run_lengths(count, generator):
    """The first run of each of many calibrations, without a change."""
    print(f"\nrun length without a change, {count} calibrations each, cut off at 30 times what is stated")
    print("stated  touches  reference  mean  +-    mean / stated  median / stated (0.69 if exponential)")
    for stated in RUN_LENGTHS:
        for kind, sizes in (("stays", (*SIZES, 5000)), ("learns", SIZES)):
            for size in sizes:
                runs = [
                    first_alarm(
                        reference_of(kind, size, generator),
                        ChangeAlarm(stated),
                        lambda _: generator.random(),
                        30 * stated,
                    )
                    for _ in range(count)
                ]
                known = f"{stated:6}  {size:7}  {kind:9}  {np.mean(runs):5.0f} {np.std(runs) / count**0.5:4.0f}"
                print(f"{known}  {np.mean(runs) / stated:13.2f}  {np.median(runs) / stated:.2f}", flush=True)


def after_alarms(count, generator):
    """Runs that follow an alarm, the calibration being brought back."""
    print(f"\nmean length of the first run and of those after an alarm, {count} calibrations of 99, 300 stated")
    runs = []
    for _ in range(count):
        reference, alarm = reference_of("learns", 99, generator), ChangeAlarm(300)
        runs.append([])
        for _ in range(4):
            runs[-1].append(first_alarm(reference, alarm, lambda _: generator.random(), 9000))
            reference.forget()
    errors = np.std(runs, axis=0) / count**0.5
    print(", ".join(f"{mean:.0f} +- {error:.0f}" for mean, error in zip(np.mean(runs, axis=0), errors, strict=True)))


def delays(count, generator):
    """Touches from a change to its alarm, after normal ones."""
    print(f"\ndelay of the alarm after a change, touches, {count} calibrations of 200 each, cut off at 1000")
    print("stated  change            normal before  reference  mean   p95   one touch with p <= 1 / stated")
    changes = {
        "Beta(0.5, 1)": lambda _: 1.0 - generator.random() ** 2.0,
        "Beta(0.2, 1)": lambda _: 1.0 - generator.random() ** 5.0,
        "slow to 0.3, 500": lambda t: 1.0 - generator.random() ** (1.0 / (1.0 - 0.7 * min(t, 500) / 500)),
    }
    alone = {"Beta(0.5, 1)": 0.5, "Beta(0.2, 1)": 0.2}
    for stated in RUN_LENGTHS:
        for change, draw in changes.items():
            for before in (0, 50):
                for kind in KINDS:
                    found = []
                    for _ in range(count):
                        reference, alarm = reference_of(kind, 200, generator), ChangeAlarm(stated)
                        for value in generator.random(before):
                            if alarm.update(reference.update(value, GROUP)):
                                reference.forget()
                        found.append(first_alarm(reference, alarm, draw, 1000))
                    single = f"{stated ** alone[change]:.1f}" if change in alone else "-"
                    known = f"{stated:6}  {change:16}  {before:13}  {kind:9}"
                    print(f"{known}  {np.mean(found):5.1f}  {np.quantile(found, 0.95):4.0f}  {single}", flush=True)


def main():
    print(f"python {platform.python_version()}, {platform.machine()}")
    generator = np.random.default_rng(0)
    started = time.monotonic()
    uniformity(10000, generator)
    one_calibration(100, 1000, generator)
    run_lengths(300, generator)
    after_alarms(300, generator)
    delays(300, generator)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
