"""Motion without end, and its sound."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the generator needs PyTorch")

from hearing_hands_ros.model.compact.config import PATCH, CompactConfig  # noqa: E402
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling  # noqa: E402
from hearing_hands_ros.model.compact.network import CompactNetwork  # noqa: E402
from hearing_hands_ros.predictors.protocol import Contact, HandMotion  # noqa: E402
from hearing_hands_ros.predictors.streaming import Streamer  # noqa: E402
from hearing_hands_ros.sequence import SequenceConfig  # noqa: E402
from hearing_hands_ros.sound.vocoder.griffin_lim import GriffinLim  # noqa: E402

SEQUENCE = SequenceConfig()
SMALL = CompactConfig(feature_dim=6, dim=16, depth=1, heads=1, reach=8)
NS = 1_000_000_000
DAY_NS = 1_732_000_000 * NS  # some time in 2024, on no token's border
WINDOW_S = 2.0


class MadeUpLooks:
    """Places look like where they are; counts how often it is asked."""

    def __init__(self):
        self.scene = np.ones(6, np.float32)
        self.asked = 0

    def looks(self, motion):
        self.asked += len(motion.contacts)
        return np.array([np.resize(c.position_m, 6) for c in motion.contacts], np.float32).reshape(-1, 6)


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    network = CompactNetwork(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    mean, std = torch.linspace(-1.0, -4.5, 80), torch.full((80,), 0.2)  # dull, so that a click would stand out
    return CompactGenerator(network, mean, std, SEQUENCE, Sampling(2), "made_up", "cpu")


def streamer_of(generator):
    looks = MadeUpLooks()
    return Streamer(generator, GriffinLim(SEQUENCE, rounds=4), looks), looks


def at(seconds):
    return DAY_NS + round(seconds * NS)


def motion(seconds, valid_from_s=0.0):
    """A right hand that taps every 0.7 s."""
    frames = round(30 * seconds)
    keypoints = np.cumsum(np.random.default_rng(0).normal(0.0, 0.01, (frames, 2, 21, 3)), axis=0)
    valid = np.tile([False, True], (frames, 1)) & (np.arange(frames)[:, None] >= 30 * valid_from_s)
    keypoints[~valid] = np.nan
    starts_s = np.arange(0.3, seconds - 0.1, 0.7)
    contacts = tuple(
        Contact(at(s), at(s + 0.1), 1, "", (float(s), 1.0, 0.5), (0.0, 0.0, 1.0), 0.3, 0.0, "tap") for s in starts_s
    )
    return HandMotion(DAY_NS, 30.0, keypoints.astype(np.float32), valid, contacts)


def window(whole, end_s, length_s=WINDOW_S):
    """The frames and touches that are known at a time."""
    end, length = round(30 * end_s), round(30 * length_s)
    begin = max(end - length, 0)
    start_ns, end_ns = (DAY_NS + frame * NS // 30 for frame in (begin, end))
    contacts = tuple(
        replace(c, end_ns=min(c.end_ns, end_ns)) for c in whole.contacts if c.end_ns >= start_ns and c.start_ns < end_ns
    )
    return HandMotion(start_ns, 30.0, whole.keypoints[begin:end], whole.valid[begin:end], contacts)


def sounds(streamer, whole, times_s):
    return [sound for end_s in times_s if (sound := streamer.push(window(whole, end_s))) is not None]


def joined(given):
    """(F, T) and (L,) of pieces that follow each other without gap or overlap."""
    at = given[0].start_ns
    for sound in given:
        assert sound.start_ns == at
        assert sound.audio.shape == (sound.log_mel.shape[1] * SEQUENCE.hop,)
        assert np.isfinite(sound.audio).all()
        at += round(sound.log_mel.shape[1] * SEQUENCE.hop_s * NS)
    return np.concatenate([s.log_mel for s in given], axis=1), np.concatenate([s.audio for s in given])


def test_windows_that_slide_give_one_sound_whatever_their_rhythm(generator):
    whole = motion(8.0)
    rhythms = (np.arange(0.1, 8.01, 0.1), np.cumsum([0.5, 0.9, 0.03, 0.4] * 4))
    (one, _), (two, _) = (joined(sounds(streamer_of(generator)[0], whole, rhythm)) for rhythm in rhythms)
    shared = min(one.shape[1], two.shape[1])
    assert shared * SEQUENCE.hop_s > 6.0
    # Not the same to the last bit: what is known of a touch grows while it lasts.
    assert np.abs(one[:, :shared] - two[:, :shared]).mean() < 0.02 * one.std()


def test_the_wave_steps_no_further_where_pieces_meet_than_elsewhere(generator):
    given = sounds(streamer_of(generator)[0], motion(12.0), np.arange(0.1, 12.01, 0.1))
    _, audio = joined(given)
    # What a click would be: pieces whose vocoder does not look across the border.
    cut = np.concatenate([GriffinLim(SEQUENCE, rounds=4).synthesize(sound.log_mel) for sound in given])
    meets = np.cumsum([sound.audio.size for sound in given])[:-1]
    assert step_where(meets, audio) < 1.5
    assert step_where(meets, cut) > 4.0


def step_where(meets, wave):
    """Mean step of the wave at the given samples, over the level around, as a share of that at other frames."""
    steps = np.abs(np.diff(wave))
    places = np.arange(SEQUENCE.hop, wave.size - SEQUENCE.hop, SEQUENCE.hop)
    share = np.array([steps[p - 1] / steps[p - 128 : p + 128].mean() for p in places])
    chosen = np.isin(places, meets)
    return share[chosen].mean() / share[~chosen].mean()


def test_sound_is_out_as_soon_as_it_may_be(generator):
    whole, (streamer, _) = motion(3.0), streamer_of(generator)
    for end_s in np.arange(0.1, 3.01, 0.1):
        sound = streamer.push(window(whole, end_s))
        if sound is not None:
            end_ns = sound.start_ns + sound.audio.size * NS // 16000
            late_s = (DAY_NS - end_ns) / NS + end_s
            assert streamer.lag_s <= late_s < streamer.lag_s + 0.2
    assert 0.25 < streamer.lag_s < 0.8


def test_a_stream_begins_with_the_first_valid_hand(generator):
    whole, (streamer, _) = motion(4.0, valid_from_s=1.5), streamer_of(generator)
    given = sounds(streamer, whole, np.arange(0.5, 4.01, 0.5))
    assert given[0].anew == "the beginning"
    assert 0 <= given[0].start_ns - (DAY_NS + round(1.5 * NS)) < PATCH * SEQUENCE.hop_s * NS
    assert [sound.anew for sound in given[1:]] == [""] * (len(given) - 1)


def test_a_hand_that_appears_in_the_newest_frame_of_fast_motion_is_no_jump_of_time(generator):
    whole, (streamer, _) = motion(6.0, valid_from_s=1.0), streamer_of(generator)
    grown = [HandMotion(DAY_NS, 200.0, whole.keypoints[:n], whole.valid[:n]) for n in range(28, len(whole.valid) + 1)]
    assert next(sound.anew for m in grown if (sound := streamer.push(m)) is not None) == "the beginning"


@pytest.mark.parametrize(("then_s", "said"), [(9.0, "a gap of "), (1.0, "time went back by ")])
def test_a_jump_of_time_begins_anew_and_says_so(generator, then_s, said):
    whole, (streamer, _) = motion(14.0), streamer_of(generator)
    before = sounds(streamer, whole, np.arange(0.5, 4.01, 0.5))
    after = sounds(streamer, whole, then_s + np.arange(0.0, 3.01, 0.5))
    joined(before)
    assert after[0].anew.startswith(said)
    assert [sound.anew for sound in after[1:]] == [""] * (len(after) - 1)
    fresh, _ = streamer_of(generator)
    again = sounds(fresh, whole, then_s + np.arange(0.0, 3.01, 0.5))
    for got, wanted in zip(joined(after), joined(again), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_window_that_says_nothing_new_gives_nothing(generator):
    whole, (streamer, _) = motion(4.0), streamer_of(generator)
    assert streamer.push(window(whole, 3.0)) is not None
    assert streamer.push(window(whole, 3.0)) is None
    assert streamer.push(window(whole, 2.99)) is None
    assert streamer.push(window(whole, 3.5)).anew == ""
    blind, _ = streamer_of(generator)
    assert blind.push(replace(window(whole, 3.0), valid=np.zeros((60, 2), bool))) is None
    assert blind.push(window(whole, 0.04)) is None


def test_what_is_finished_gives_the_whole_timeline_and_then_begins_anew(generator):
    whole, (streamer, _) = motion(4.03), streamer_of(generator)
    given = [*sounds(streamer, whole, np.arange(0.5, 4.01, 0.5)), *sounds(streamer, whole, [4.03])]
    before, _ = joined(given)
    last = streamer.finish()
    log_mel, _ = joined([*given, last])
    begin_s, end_s = (ns / NS for ns in (given[0].start_ns - DAY_NS, last.start_ns - DAY_NS))
    assert begin_s < 2 * PATCH * SEQUENCE.hop_s
    end_s += len(last.audio) / 16000
    assert len(whole.valid) / 30 - SEQUENCE.hop_s < end_s <= len(whole.valid) / 30
    assert log_mel[:, before.shape[1] :].std() > 0.5 * before.std()
    assert streamer.finish() is None
    after = sounds(streamer, whole, [2.0, 3.0])
    assert after[0].anew == "the one before was finished"


def test_a_stream_that_begins_now_says_nothing_of_what_was_before(generator):
    whole, (streamer, _) = motion(6.0), streamer_of(generator)
    streamer.take(window(whole, 3.0), at(2.5))
    given = [streamer.draw() for _ in range(streamer.waiting)]
    streamer.take(window(whole, 4.5), at(4.0))
    assert streamer.waiting_s == pytest.approx(0.256 * streamer.waiting)
    given += [streamer.draw() for _ in range(streamer.waiting)]
    assert streamer.waiting == 0
    given = [sound for sound in given if sound is not None]
    joined(given)
    assert 0 <= given[0].start_ns - at(2.5) < PATCH * SEQUENCE.hop_s * NS
    assert len(given) > 2


def test_one_that_takes_the_place_of_another_shares_nothing_with_it(generator):
    whole, (streamer, _) = motion(6.0), streamer_of(generator)
    wanted = sounds(streamer_of(generator)[0], whole, np.arange(0.5, 6.01, 0.5))
    given = sounds(streamer, whole, np.arange(0.5, 3.01, 0.5))
    other = streamer.renewed("it broke")
    assert sounds(other, whole, [2.0, 3.0])[0].anew == "it broke"
    given += sounds(streamer, whole, np.arange(3.5, 6.01, 0.5))
    np.testing.assert_array_equal(joined(given)[0], joined(wanted)[0])


def test_sound_that_is_not_finite_is_named(generator):
    class Broken(GriffinLim):
        def synthesize(self, log_mel):
            return super().synthesize(log_mel) * self.factor

        factor = 1.0

    vocoder = Broken(SEQUENCE, rounds=4)
    streamer = Streamer(generator, vocoder, MadeUpLooks())
    vocoder.factor = np.nan
    with pytest.raises(ValueError, match="StreamedSound: audio wanted finite values, got"):
        streamer.push(window(motion(4.0), 3.0))


def test_looks_that_the_generator_does_not_know_are_named(generator):
    looks = MadeUpLooks()
    looks.scene = np.ones(7, np.float32)
    with pytest.raises(ValueError, match=r"looks wanted features of 6 numbers, got \(7,\)"):
        Streamer(generator, GriffinLim(SEQUENCE, rounds=4), looks)


def test_half_a_minute_takes_no_more_memory_and_each_touch_is_looked_at_once(generator):
    whole, (streamer, looks) = motion(30.0), streamer_of(generator)
    sounds(streamer, whole, np.arange(0.5, 6.01, 0.5))
    tracemalloc.start()
    taken = []
    for begin_s in (6.5, 18.5):
        sounds(streamer, whole, np.arange(begin_s, begin_s + 11.01, 0.5))
        taken.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert taken[1] - taken[0] < 50_000
    assert looks.asked == sum(c.start_ns < DAY_NS + 29.5 * NS for c in whole.contacts)
