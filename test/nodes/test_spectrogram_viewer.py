"""The viewer as users run it: it draws only while somebody looks, five times a second, and survives nonsense."""

import array
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio, SoundComparison, SoundPrediction
from sensor_msgs.msg import Image

from hearing_hands_ros.sound.picture import COLOURS, LEFT, NOTHING, STRIP, TOP

MODULE = "hearing_hands_ros.nodes.spectrogram_viewer"
RATE_HZ = 16000
BLOCK = 320


def stamp(message, at_s: float):
    message.header.stamp.sec, message.header.stamp.nanosec = int(at_s), round(1e9 * (at_s % 1))
    return message


def audio(at_s: float, samples: np.ndarray) -> Audio:
    message = Audio(sample_rate_hz=RATE_HZ, channels=1, data=array.array("f", samples.astype(np.float32).tobytes()))
    return stamp(message, at_s)


def prediction(at_s: float, frames: int = 60, level: float = 0.4) -> SoundPrediction:
    message = stamp(SoundPrediction(), at_s)
    mel = message.spectrogram
    mel.sample_rate_hz, mel.hop, mel.window, mel.bins, mel.frames = 16000.0, 256, 1024, 80, frames
    mel.data = array.array("f", [level] * (80 * frames))
    return message


def pixels(message: Image) -> np.ndarray:
    return np.frombuffer(bytes(message.data), np.uint8).reshape(message.height, message.width, 3)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def talk(sound, seconds: float, start_s: float = 100.0, loud_s: float = 0.5) -> float:
    """Publish noise in real time; return where it ended."""
    generator = np.random.default_rng(0)
    begin = time.monotonic()
    count = int(seconds * RATE_HZ / BLOCK)
    for index in range(count):
        sound.publish(audio(start_s + index * BLOCK / RATE_HZ, generator.uniform(-loud_s, loud_s, BLOCK)))
        time.sleep(max(0.0, begin + (index + 1) * BLOCK / RATE_HZ - time.monotonic()))
    return start_s + seconds


@pytest.fixture
def viewer(ros_domain):
    return ros_domain.start(MODULE)


def test_it_draws_what_was_predicted_heard_and_judged(ros_domain, viewer):
    sound, predicted = ros_domain.talk(Audio, "heard/audio"), ros_domain.talk(SoundPrediction, "predicted")
    verdicts = ros_domain.talk(SoundComparison, "comparison")
    images = ros_domain.listen(Image, "spectrogram/image")
    for publisher in (sound, predicted, verdicts):
        ros_domain.wait_for_listener(publisher)
    predicted.publish(prediction(100.5))
    verdict = stamp(SoundComparison(verdict=SoundComparison.DIFFERENT, expected_material="wood"), 100.5)
    verdict.nearest_material = "metal"
    verdicts.publish(verdict)
    begin, before, count = time.monotonic(), cpu_s(viewer.process.pid), len(images.messages)
    talk(sound, 3.0)
    took = time.monotonic() - begin
    rate_hz, load = (len(images.messages) - count) / took, (cpu_s(viewer.process.pid) - before) / took
    print(f"\n{rate_hz:.1f} pictures/s at {100 * load:.1f} % of a core, 50 sound messages/s")
    assert rate_hz == pytest.approx(5.0, abs=1.0)
    assert load < 0.25
    time.sleep(0.3)
    last = images.messages[-1]
    assert (last.encoding, last.step, len(last.data)) == ("rgb8", 3 * last.width, 3 * last.width * last.height)
    assert last.header.stamp.sec in (102, 103)
    picture = pixels(last)
    right = LEFT + 750
    grey = (picture == NOTHING).all(axis=2)
    heard_row, predicted_row = TOP + 160 + STRIP + 80, TOP + 80
    # 3 s of 4 s were heard; 0.96 s were predicted.
    assert grey[heard_row, LEFT:right].mean() == pytest.approx(0.25, abs=0.04)
    assert grey[predicted_row, LEFT:right].mean() == pytest.approx(0.76, abs=0.04)
    assert (picture == COLOURS["different"]).all(axis=2).sum() > 300


def test_unseen_it_subscribes_to_nothing(ros_domain, viewer):
    sound = ros_domain.talk(Audio, "heard/audio")
    inbox = ros_domain.diagnostics("spectrogram_viewer")
    inbox.wait(DiagnosticStatus.OK, "nobody looks")
    assert sound.get_subscription_count() == 0
    images = ros_domain.listen(Image, "spectrogram/image")
    images.wait_for(2)
    ros_domain.wait_for_listener(sound)
    inbox.wait(DiagnosticStatus.OK, "drawing")
    subscription = next(s for s in ros_domain.probe.subscriptions if s.topic_name == "/spectrogram/image")
    ros_domain.probe.destroy_subscription(subscription)
    seen = len(inbox.statuses)
    inbox.wait(DiagnosticStatus.OK, "nobody looks", since=seen)
    end = time.monotonic() + 5.0
    while sound.get_subscription_count() and time.monotonic() < end:
        time.sleep(0.05)
    assert sound.get_subscription_count() == 0
    assert viewer.stop() == 0
    assert "Traceback" not in viewer.log


def test_nonsense_is_refused_and_the_picture_goes_on(ros_domain, viewer):
    sound, predicted = ros_domain.talk(Audio, "heard/audio"), ros_domain.talk(SoundPrediction, "predicted")
    images = ros_domain.listen(Image, "spectrogram/image")
    ros_domain.wait_for_listener(sound)
    ros_domain.wait_for_listener(predicted)
    for bad in (
        Audio(),
        Audio(sample_rate_hz=0, channels=1, data=[0.0] * 10),
        Audio(sample_rate_hz=RATE_HZ, channels=3, data=[0.0] * 10),
        Audio(sample_rate_hz=RATE_HZ, channels=0, data=[0.0] * 10),
        Audio(sample_rate_hz=RATE_HZ, channels=1, data=[float("nan")] * 10),
        Audio(sample_rate_hz=RATE_HZ, channels=1, data=[0.0] * 10, lost=[True]),
        Audio(sample_rate_hz=2**32 - 1, channels=1, data=[1e38] * 10),
        audio(50.0, np.full(BLOCK * 20, 3e38)),
    ):
        sound.publish(bad)
    broken = prediction(1.0)
    broken.spectrogram.frames = 7
    predicted.publish(broken)
    nan = prediction(2.0, level=float("nan"))
    nan.spectrogram.hop = 0
    predicted.publish(nan)
    predicted.publish(prediction(50.0, level=3e38))
    time.sleep(0.5)
    talk(sound, 1.0)
    count = len(images.messages)
    images.wait_for(count + 3)
    assert viewer.is_running
    assert "Traceback" not in viewer.log, viewer.log
    assert "heard/audio: wanted whole frames" in viewer.log


def test_time_that_goes_back_begins_a_new_picture(ros_domain, viewer):
    sound = ros_domain.talk(Audio, "heard/audio")
    images = ros_domain.listen(Image, "spectrogram/image")
    ros_domain.wait_for_listener(sound)
    talk(sound, 0.6, start_s=1000.0)
    images.wait(lambda messages: messages and messages[-1].header.stamp.sec == 1000)
    talk(sound, 0.6, start_s=10.0)
    images.wait(lambda messages: messages[-1].header.stamp.sec == 10)
