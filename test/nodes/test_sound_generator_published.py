"""The sound generator with a checkpoint of the published model, small and with random weights."""

import time

import numpy as np
import pytest
from hearing_hands_ros.msg import HandTrajectory, SoundPrediction
from touches import NS, touch, window
from worlds import save_table

from hearing_hands_ros.ros.sound_messages import read_prediction
from hearing_hands_ros.sequence import SequenceConfig

pytest.importorskip("torch", reason="the published model needs PyTorch")
MODULE = "hearing_hands_ros.nodes.sound_generator"


def test_a_touch_is_predicted_by_the_published_model(ros_domain, small_published, tmp_path):
    model, scene = small_published(tmp_path / "tiny"), save_table(tmp_path / "scene")
    ros_domain.start(MODULE, {"model": str(model), "scene": str(scene), "device": "cpu", "retry_s": 0.3})
    predicted = ros_domain.listen(SoundPrediction, "predicted")
    hands = ros_domain.talk(HandTrajectory, "hands")
    ros_domain.wait_for_listener(hands, 30.0)
    now = time.time_ns()
    hands.publish(window(now + NS // 10, [touch(now, number=7)]))
    message = predicted.wait_for(1, timeout_s=20.0)[0]
    assert message.predictor == "published"
    assert message.model.startswith("tiny@")
    assert [contact.id for contact in message.contacts] == [7]
    prediction = read_prediction(message, SequenceConfig())
    assert prediction.audio.shape == (256 * prediction.log_mel.shape[1],)
    assert 1.3 < len(prediction.audio) / 16000 < 1.5  # 0.1 s before the touch to 1.2 s after it
    assert np.abs(prediction.audio).max() > 0.0
