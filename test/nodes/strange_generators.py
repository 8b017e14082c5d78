"""The sound generator with predictors that fail: `python strange_generators.py --ros-args ...`.

A checkpoint of kind 'strange' predicts well, or fails as the material of the last touch says; 'hangs' lasts as long as
there is a file `closed` in its folder. One of kind 'slow' is a compact one whose vocoder takes as many seconds more as
the file `slow` in its folder says, and hangs likewise.
"""

import sys
import time
from dataclasses import replace

import numpy as np

from hearing_hands_ros.nodes.sound_generator import main
from hearing_hands_ros.predictors.protocol import Prediction
from hearing_hands_ros.predictors.registry import GENERATORS
from hearing_hands_ros.sequence import SequenceConfig


def hang(folder):
    """Last as long as there is a file `closed`."""
    while (folder / "closed").exists():
        time.sleep(0.01)


class StrangePredictor:
    """Silence, as many frames as were asked for; unless the material is the name of a fault."""

    name, model, config = "strange", "strange@0", SequenceConfig()

    def __init__(self, folder):
        self._folder = folder

    def predict(self, motions):
        with (self._folder / "asked").open("a") as told:
            told.writelines(f"{motion.contacts[-1].contact_id}\n" for motion in motions if motion.contacts)
        return [self._one(motion, motion.contacts[-1].material if motion.contacts else "") for motion in motions]

    def _one(self, motion, fault):
        if fault == "hangs":
            hang(self._folder)
        if fault == "throws":
            raise LookupError("no such sound")
        if fault == "exits":
            sys.exit("enough")
        if fault == "memory":
            raise MemoryError("wanted 4 GiB")
        frames = self.config.mel_frames(motion.duration_s)
        wave, mel = np.zeros(256 * frames, np.float32), np.full((80, frames), -5.0, np.float32)
        good = Prediction(motion.start_ns, 16000, wave, mel, 0 * mel, motion.contacts, self.name, self.model, 0.0)
        if fault == "nan":
            return replace(good, audio=wave * np.nan)
        if fault == "bands":
            return replace(good, log_mel=mel[:40], log_mel_std=mel[:40] * 0)
        return good


class SameLooks:
    """All looks alike."""

    scene = np.ones(8, np.float32)

    def looks(self, motion):
        return np.ones((len(motion.contacts), 8), np.float32)


def load_slow(folder, device, scene, views, progress):
    """The compact generator of a folder, with a vocoder that can be slowed down."""
    from hearing_hands_ros.model.checkpoint import load_checkpoint
    from hearing_hands_ros.model.compact.generator import CompactGenerator
    from hearing_hands_ros.predictors.generator import GeneratorPredictor
    from hearing_hands_ros.sound.vocoder.griffin_lim import GriffinLim

    class SlowVocoder(GriffinLim):
        def synthesize(self, log_mel):
            hang(folder)
            time.sleep(float((folder / "slow").read_text()))
            return super().synthesize(log_mel)

    generator = CompactGenerator.of(load_checkpoint(folder, "slow"), device)
    return GeneratorPredictor(generator, SlowVocoder(generator.sequence, rounds=4), SameLooks(), "slow@0")


if __name__ == "__main__":
    GENERATORS["strange"] = lambda folder, device, scene, views, progress: StrangePredictor(folder)
    GENERATORS["slow"] = load_slow
    main()
