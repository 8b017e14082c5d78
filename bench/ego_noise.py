"""What the noise of the robot itself does to the score of anomalies, and what evening it out gives back.

    python bench/ego_noise.py DATASET [--under 25 --under 15] [--generator models/compact]

Touches of held-out scenes and their anomalies in room noise of 20 dB, as in bench/anomalies.py. Each scene has a robot
of its own, which is simulated: a fan (blade tones and a hiss that falls) and motors (tones whose frequency and
amplitude go with the speed of the hand, and the hiss of gears). At 0.3 m/s both together are `under` dB under the
loudest 50 ms of the scene's median touch; from touch to touch the fan varies by 1 dB, the motors by 2 dB. The noise is
learned from half a minute in which the robot moves as in other items, and touches nothing.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.signal import ShortTimeFFT, get_window

sys.path.insert(0, str(Path(__file__).parents[1]))

from hearing_hands_ros.compare.ego_noise import HOP, RATE_HZ, WINDOW, EgoNoise
from hearing_hands_ros.compare.hand_speed import HandSpeed
from hearing_hands_ros.compare.scoring.onsets import NEAR_S, rises_of
from hearing_hands_ros.compare.scoring.scorer import ANOMALY, Scorer
from hearing_hands_ros.compare.scoring.touch import LEAD_S
from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.sound.onsets import find_onsets
from hearing_hands_ros.train.anomalies.cases import SEARCH_S, cases
from hearing_hands_ros.train.anomalies.kinds import ANOMALIES, NORMAL
from hearing_hands_ros.train.anomalies.learn import takes_of_refs
from hearing_hands_ros.train.anomalies.measure import auc, false_alarms, interval_over_scenes, p_values, partial_auc
from hearing_hands_ros.train.anomalies.predictions import ByGenerator
from hearing_hands_ros.train.simulator.sounds import room

ROOT = Path(__file__).parents[1]
ROOM_DB = 20.0
UNDER_DB = (40.0, 25.0, 15.0)
REFERENCE_MPS = 0.3
FAN_DB, MOTOR_DB = 1.0, 2.0  # by which they vary
LEARNED_FROM = 8  # items, of 4 s
PIECE = RATE_HZ // 4
ALPHA = 0.05
BEGINNING_S = 0.06
QUIET, NOISY, REMOVED, EVENED = "no robot", "robot", "robot, Wiener filter", "robot, evened"
WIENER = ShortTimeFFT(get_window("hann", WINDOW), HOP, RATE_HZ)


class Robot:
    """Fan and motors, each 1 as mean square, the latter at `REFERENCE_MPS`."""

    def __init__(self, rng):
        """Draw one."""
        self.blades_hz, self.tilt = rng.uniform(80.0, 250.0), rng.uniform(0.3, 0.9)
        self.blade_tones = np.arange(1, 13) ** -rng.uniform(0.5, 1.5) * rng.exponential(1.0, 12)
        self.motor_hz_per_mps, self.motor_tones = rng.uniform(800.0, 4000.0), rng.exponential(1.0, 4)
        self.gears_hz = rng.uniform(300.0, 1000.0), rng.uniform(2000.0, 5000.0)
        self.gears = rng.uniform(0.3, 1.0)

    def fan(self, length, rng):
        """(L,) always the same."""
        turns = np.full(length, self.blades_hz / RATE_HZ).cumsum()
        return (tones(turns, self.blade_tones, rng) + hiss(length, self.falling, rng)) / np.sqrt(2.0)

    def motor(self, speed_mps, rng):
        """(L,) at (L,) speeds."""
        turns = (self.motor_hz_per_mps * speed_mps / RATE_HZ).cumsum()
        sound = tones(turns, self.motor_tones, rng) + self.gears * hiss(speed_mps.size, self.in_gears, rng)
        return speed_mps / REFERENCE_MPS * sound / np.hypot(1.0, self.gears)

    def falling(self, frequency):
        """Spectrum of the fan's hiss."""
        return np.maximum(frequency, 50.0) ** -self.tilt * (frequency > 25.0)

    def in_gears(self, frequency):
        """Spectrum of the gears."""
        return (frequency > self.gears_hz[0]) & (frequency < self.gears_hz[1])


def tones(turns, strengths, rng):
    """(L,) harmonics of something that turns, 1 as root mean square."""
    phases = rng.uniform(0.0, 2 * np.pi, strengths.size)
    orders = np.arange(1, strengths.size + 1)
    return np.sin(2 * np.pi * turns[:, None] * orders + phases) @ strengths / np.sqrt((strengths**2).sum() / 2.0)


def hiss(length, spectrum, rng):
    """(L,) noise of a spectrum, 1 as root mean square."""
    shape = spectrum(np.fft.rfftfreq(length, 1.0 / RATE_HZ))
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=length)) * shape, length)
    return noise / noise.std()


def noise_of(robot, level, speed, length, rng, varies=1.0):
    """(L,) of a robot whose hand moves at speeds that are spread evenly over the sound."""
    speed = np.interp(np.linspace(0.0, 1.0, length), np.linspace(0.0, 1.0, speed.size), np.nan_to_num(speed))
    fan_db, motor_db = varies * FAN_DB * rng.normal(), varies * MOTOR_DB * rng.normal()
    return level * (
        10.0 ** (fan_db / 20.0) * robot.fan(length, rng) + 10.0 ** (motor_db / 20.0) * robot.motor(speed, rng)
    )


def learned(robot, level, room_db, motions, rng):
    """Noise of a robot that touches nothing in its room."""
    pieces = []
    for motion in motions:
        seen = HandSpeed()
        seen.see(motion)
        end_ns = motion.start_ns + round((motion.duration_s - 0.1) * NANOSECONDS)
        speed = seen.between(motion.start_ns, end_ns)
        length = round((end_ns - motion.start_ns) / NANOSECONDS * RATE_HZ)
        heard = noise_of(robot, level, speed, length, rng, varies=0.0) + room(length, RATE_HZ, room_db, rng)
        at = np.linspace(0.0, length, speed.size)
        for first in range(0, length - PIECE + 1, PIECE):
            inside = speed[(at >= first) & (at < first + PIECE)]
            if np.isfinite(inside).all():
                pieces.append((heard[first : first + PIECE].astype(np.float32), np.sqrt(np.mean(inside**2))))
    return EgoNoise.learn(pieces)


def without(noise, samples, speed):
    """What a Wiener filter leaves; noise is taken for twice its mean power, and goes down by 20 dB at most."""
    spectrum = WIENER.stft(samples.astype(np.float64))
    moments = np.interp(np.linspace(0.0, 1.0, spectrum.shape[1]), np.linspace(0.0, 1.0, speed.size), speed)
    power = np.maximum(np.abs(spectrum) ** 2, 1e-20)
    gain = np.clip(1.0 - 2.0 * noise.power(np.nan_to_num(moments)).T / power, 0.1, 1.0)
    return WIENER.istft(gain * spectrum, k1=samples.size).astype(np.float32)


def heard_anew(touch, samples):
    """The touch with other sound."""
    near = [at for at in find_onsets(samples) if abs(at - LEAD_S) <= SEARCH_S]
    return replace(touch, samples=samples, onset_s=min(near, key=lambda at: abs(at - LEAD_S), default=None))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--under", type=float, action="append", help="dB; may be given several times")
    parser.add_argument("--generator", type=Path, default=ROOT / "models" / "compact")
    parser.add_argument("--listener", type=Path, default=ROOT / "models" / "listener")
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "anomalies.yaml")
    parser.add_argument("--split", default="val")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    refs = dataset.items(options.split)
    takes = takes_of_refs(dataset, refs)
    items = [dataset.load(ref) for ref in refs]
    predictions = list(ByGenerator.load(options.generator).predict(items))
    scorer = Scorer.load(options.listener, options.config)
    found = [
        (predictions.index(case.touch.prediction), case) for case in cases(takes, predictions, ROOM_DB, options.seed)
    ]
    print(f"{dataset.info.name}, {options.split}, {predictions[0].model}, {platform.machine()}\n")
    quiet = np.array([scorer.score(case.touch) for _, case in found])
    label = np.array([case.anomaly for _, case in found])
    scenes = np.array([case.scene for _, case in found])
    motions = [item.motion for item in items]
    for under_db in options.under or UNDER_DB:
        robots = robots_of(under_db, takes, motions, options.seed)
        rows = {QUIET: quiet, **scored(found, robots, motions, scorer, options.seed)}
        print(f"## The robot {under_db:g} dB under the touches, {(label == NORMAL).sum()} touches\n")
        report(rows, label, scenes)
        alone(robots, [(item, case) for item, case in found if case.anomaly == NORMAL], motions, options.seed)


def robots_of(under_db, takes, motions, seed):
    """Scene to its robot, how loud that is, how loud the room, and what was learned of it."""
    robots = {}
    for number, scene in enumerate(sorted({take.scene for take in takes})):
        rng = np.random.default_rng([seed, number])
        robot, power = Robot(rng), np.median([take.power for take in takes if take.scene == scene])
        level = np.sqrt(0.5 * power * 10.0 ** (-under_db / 10.0))
        room_db = 10.0 * np.log10(power) - ROOM_DB
        others = rng.permutation(len(motions))[:LEARNED_FROM]
        robots[scene] = robot, level, room_db, learned(robot, level, room_db, [motions[i] for i in others], rng)
    return robots


def scored(found, robots, motions, scorer, seed):
    """Name of the row to (N,) scores."""
    rows = {name: [] for name in (NOISY, REMOVED, EVENED)}
    for number, (item, case) in enumerate(found):
        touch, (robot, level, _, noise) = case.touch, robots[case.scene]
        seen = HandSpeed()
        seen.see(motions[item])
        start_ns = touch.contact.start_ns - round(LEAD_S * NANOSECONDS)
        speed = seen.between(start_ns, start_ns + round(touch.samples.size / RATE_HZ * NANOSECONDS))
        rng = np.random.default_rng([seed, 1, number])
        noisy = (touch.samples + noise_of(robot, level, speed, touch.samples.size, rng)).astype(np.float32)
        ways = {NOISY: noisy, REMOVED: without(noise, noisy, speed), EVENED: noise.evened(noisy, speed, LEAD_S)}
        for name, samples in ways.items():
            rows[name].append(scorer.scores(heard_anew(touch, samples))[ANOMALY])
    return {name: np.array(values) for name, values in rows.items()}


def report(rows, label, scenes):
    """Tables of one level: how well anomalies are found, and how often a normal touch is called one."""
    normal = label == NORMAL
    print("AUC; false alarms at alpha 0.05, calibrated by the other half of the scenes, with and without the robot\n")
    print(
        "| | " + " | ".join((*ANOMALIES, "all [95 % over scenes]", "partial", "calibrated so", "without robot")) + " |"
    )
    print("|" + "---|" * (len(ANOMALIES) + 5))
    names = np.random.default_rng(0).permutation(sorted(set(scenes.tolist())))
    first = np.isin(scenes[normal], names[: len(names) // 2])
    for name, values in rows.items():
        rng = np.random.default_rng(0)
        low, high = interval_over_scenes(auc, (values[normal], scenes[normal]), (values[~normal], scenes[~normal]), rng)
        cells = [f"{auc(values[normal], values[label == anomaly]):.3f}" for anomaly in ANOMALIES]
        cells.append(f"**{auc(values[normal], values[~normal]):.3f}** [{low:.3f}, {high:.3f}]")
        cells.append(f"{partial_auc(values[normal], values[~normal]):.3f}")
        for calibration in (values[normal], rows[QUIET][normal]):
            p = np.empty(first.size)
            for half in (first, ~first):
                p[half] = p_values(calibration[~half], values[normal][half], rng)
            got = false_alarms(p, ALPHA)
            cells.append(f"{got.alarms / got.touches:.3f} [{got.low:.3f}, {got.high:.3f}]")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print()


def alone(robots, found, motions, seed):
    """Beginnings of sound that no touch explains: in seconds of a robot that moves, and of taps that nobody expects."""
    seconds, taps = {NOISY: [], EVENED: []}, {NOISY: [], EVENED: []}
    for number, (item, case) in enumerate(found):
        robot, level, room_db, noise = robots[case.scene]
        rng = np.random.default_rng([seed, 2, number])
        seen = HandSpeed()
        seen.see(motions[item])
        start_ns, length = motions[item].start_ns, round(3.8 * RATE_HZ)
        speed = seen.between(start_ns, start_ns + round(3.8 * NANOSECONDS))
        heard = noise_of(robot, level, speed, length, rng) + room(length, RATE_HZ, room_db, rng)
        begins = [at for at in find_onsets(heard.astype(np.float32)) if LEAD_S <= at < 3.3]
        for name, rises in rises_at(begins, heard, seen, start_ns, noise).items():
            seconds[name] += [
                max((r for at, r in zip(begins, rises, strict=True) if s <= at - LEAD_S < s + 1), default=0)
                for s in range(3)
            ]
        if case.touch.contact.kind == "tap":
            at_ns = case.touch.contact.start_ns - round(LEAD_S * NANOSECONDS)
            length = case.touch.samples.size
            speed = seen.between(at_ns, at_ns + round(length / RATE_HZ * NANOSECONDS))
            noisy = case.touch.samples + noise_of(robot, level, speed, length, rng)
            for name, rises in rises_at([LEAD_S], noisy, seen, at_ns, noise).items():
                taps[name] += rises
    print(
        f"Without a touch: {len(seconds[NOISY])} s of a robot that moves, {len(taps[NOISY])} taps that nobody expects\n"
    )
    print(
        "| | seconds with an onset | strongest rise in a second, 95 % | taps over that | AUC |\n|---|---|---|---|---|"
    )
    for name in (NOISY, EVENED):
        of_seconds, of_taps = np.array(seconds[name]), np.array(taps[name])
        limit = float(np.quantile(of_seconds, 1.0 - ALPHA))
        print(
            f"| {name} | {np.mean(of_seconds > 0.0):.2f} | {limit:.1f} dB | {np.mean(of_taps > limit):.2f} "
            f"| {auc(of_seconds, of_taps):.3f} |"
        )
    print()


def rises_at(times_s, heard, seen, start_ns, noise):
    """How strongly the sound begins at some times, as it is and evened; the comparator's way."""
    found = {NOISY: [], EVENED: []}
    for at in times_s:
        first = round((at - LEAD_S) * RATE_HZ)
        samples = heard[first : first + round((LEAD_S + BEGINNING_S) * RATE_HZ)].astype(np.float32)
        begin_ns = start_ns + round(first / RATE_HZ * NANOSECONDS)
        speed = seen.between(begin_ns, begin_ns + round(samples.size / RATE_HZ * NANOSECONDS))
        for name, sound in ((NOISY, samples), (EVENED, noise.evened(samples, speed, LEAD_S))):
            time_s, rise = rises_of(sound, LEAD_S)
            found[name].append(float(rise[np.abs(time_s) < NEAR_S].max(initial=0.0)))
    return found


if __name__ == "__main__":
    main()
