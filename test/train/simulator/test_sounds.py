from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.train.simulator.effectors import Effector
from hearing_hands_ros.train.simulator.gestures import Gesture, Stroke
from hearing_hands_ros.train.simulator.modal import ModalObject
from hearing_hands_ros.train.simulator.sounds import hear, room
from hearing_hands_ros.train.simulator.textures import MATERIALS
from hearing_hands_ros.train.simulator.voices import Voice, grains, tilted
from hearing_hands_ros.train.simulator.workcell import Spot

RATE = 16000
SPOT = Spot(np.zeros(3), np.array([0.0, 0, 1]), np.array([1.0, 0, 0]), 0.1)


def effector(kind: str = "gripper") -> Effector:
    return Effector.draw(kind, False, np.random.default_rng(4))


def heard(voice: Voice, gesture: Gesture, seconds: float = 2.0, kind: str = "gripper") -> Any:
    return hear([(effector(kind), [gesture])], [voice], (0.0, seconds), np.random.default_rng(6))[0]


def tap(speed_mps: float) -> Gesture:
    return Gesture("tap", 0, SPOT, (Stroke(0.5, 0.1, speed_mps, 0.001),), height_m=0.03)


def level_db(wave: Any) -> float:
    return float(10 * np.log10(np.convolve(wave**2, np.ones(800) / 800).max()))


def centroid_hz(wave: Any) -> float:
    power = np.abs(np.fft.rfft(wave)) ** 2
    return float((np.fft.rfftfreq(len(wave), 1 / RATE) * power).sum() / power.sum())


def test_four_times_as_fast_is_twelve_decibel_louder_and_brighter(bank: ExampleBank) -> None:
    louder, brighter = [], []
    for seed in range(6):
        slow, fast = (heard(Voice("stone", bank, np.random.default_rng(seed)), tap(speed)) for speed in (0.2, 0.8))
        louder.append(level_db(fast) - level_db(slow))
        brighter.append(centroid_hz(fast[8000:12000]) > centroid_hz(slow[8000:12000]))
    assert np.median(louder) == pytest.approx(12.0, abs=2.0)
    assert np.mean(brighter) > 0.6


def test_a_fingertip_sounds_duller_than_a_gripper(bank: ExampleBank) -> None:
    waves = [heard(Voice("metal", bank, np.random.default_rng(2)), tap(0.5), kind=kind) for kind in ("flat", "gripper")]
    assert centroid_hz(waves[0]) < 0.8 * centroid_hz(waves[1])


def test_every_material_has_a_voice_within_full_scale(bank: ExampleBank) -> None:
    slide = Gesture("slide", 0, SPOT, (Stroke(0.2, 1.0, 0.2, 0.001),), sweep_m=0.2, height_m=0.025)
    for material in MATERIALS:
        voice = Voice(material, bank, np.random.default_rng(1))
        for gesture in (tap(1.0), slide):
            wave = heard(voice, gesture)
            assert np.isfinite(wave).all() and np.abs(wave).max() <= 0.98
            assert level_db(wave) > -48.0, material
    with pytest.raises(ValueError, match="wanted taps of velvet, got none"):
        Voice("velvet", bank, np.random.default_rng(1))


@pytest.mark.parametrize("material", ["wood", "metal", "glass"])
def test_a_slide_is_as_loud_as_it_is_fast_and_stops_with_the_hand(bank: ExampleBank, material: str) -> None:
    gesture = Gesture("slide", 0, SPOT, (Stroke(0.2, 1.2, 0.1, 0.001),), sweep_m=0.24, height_m=0.025)
    time_s = 0.2 + np.arange(round(1.2 * RATE)) / RATE
    waves = [
        Voice(material, bank, np.random.default_rng(seed))
        .slide(gesture.speed_mps(time_s), 0.0, np.random.default_rng(seed))
        .wave
        for seed in range(4)
    ]
    loudness = np.sqrt((np.reshape(waves, (4, 12, -1)) ** 2).mean(axis=(0, 2)))
    speeds = gesture.speed_mps(0.25 + 0.1 * np.arange(12))
    assert np.corrcoef(loudness, speeds)[0, 1] > 0.8
    assert loudness[[0, -1]].max() < 0.3 * loudness.max()


def test_glass_rings_longer_and_brighter_than_ceramic_and_fabric_does_not_ring() -> None:
    def decay_s(wave: Any) -> float:
        left = np.cumsum(wave[::-1] ** 2)[::-1]
        return float(np.argmax(left < left[0] * 1e-3)) / RATE

    struck = {
        material: [
            ModalObject(material, RATE, np.random.default_rng(seed)).strike(np.random.default_rng(seed))
            for seed in range(15)
        ]
        for material in ("glass", "ceramic", "fabric")
    }
    glass, ceramic, fabric = (np.median([decay_s(wave) for wave in waves]) for waves in struck.values())
    assert glass > 1.5 * ceramic and ceramic > 2.0 * fabric
    glass, ceramic, fabric = (np.median([centroid_hz(wave) for wave in waves]) for waves in struck.values())
    assert glass > ceramic > 2.0 * fabric


def test_a_tilt_is_so_many_decibel_an_octave() -> None:
    noise = np.random.default_rng(1).normal(size=RATE).astype(np.float32)
    before, after = (np.abs(np.fft.rfft(wave)) for wave in (noise, tilted(noise, -6.0, RATE)))

    def lost(hz: int) -> float:
        return float(20 * np.log10(after[hz - 20 : hz + 20].mean() / before[hz - 20 : hz + 20].mean()))

    assert lost(250) == pytest.approx(0.0, abs=0.3)
    assert lost(2000) == pytest.approx(-12.0, abs=0.5)


def test_grains_keep_the_colour_and_fill_the_length() -> None:
    rng = np.random.default_rng(2)
    tone = (np.sin(2 * np.pi * 1000 * np.arange(4000) / RATE) * np.exp(-np.arange(4000) / 800)).astype(np.float32)
    texture = grains(tone, 12000, 800, rng)
    assert texture.shape == (12000,)
    assert centroid_hz(texture) == pytest.approx(1000.0, rel=0.1)
    assert np.sqrt((texture.reshape(6, -1) ** 2).mean(axis=1)).min() > 0.2 * texture.std()


def test_a_room_has_the_level_that_was_asked_for() -> None:
    for seed in range(5):
        noise = room(RATE, RATE, -60.0, np.random.default_rng(seed))
        assert 20 * np.log10(noise.std()) == pytest.approx(-60.0, abs=0.1)
