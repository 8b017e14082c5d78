"""The published model as a predictor, small and with random weights, on a piece of the demo's scene."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="the published model needs PyTorch")
pytest.importorskip("safetensors", reason="checkpoints are safetensors")

from hearing_hands_ros.model.compact.noise import noise_of_frames  # noqa: E402
from hearing_hands_ros.model.published.generator import PublishedGenerator  # noqa: E402
from hearing_hands_ros.motion.hands import end_effector_keypoints  # noqa: E402
from hearing_hands_ros.predictors.protocol import Contact, HandMotion  # noqa: E402
from hearing_hands_ros.predictors.published import PublishedPredictor  # noqa: E402
from hearing_hands_ros.predictors.published_encoders import load_encoders  # noqa: E402
from hearing_hands_ros.predictors.registry import load_predictor  # noqa: E402
from hearing_hands_ros.scene.bundle import SceneBundle  # noqa: E402
from hearing_hands_ros.scene.surface import SplatSurface  # noqa: E402
from hearing_hands_ros.scene.views import SceneViews  # noqa: E402
from hearing_hands_ros.vision.encoder import load_encoder  # noqa: E402
from hearing_hands_ros.vision.view_features import ViewFeatures  # noqa: E402

START_NS = 1_700_000_000_000_000_000
LATENT_NS = 32_000_000


@pytest.fixture(scope="module")
def corner(bundle, tmp_path_factory):
    """A small piece of the demo's scene, on disk."""
    folder = tmp_path_factory.mktemp("scenes") / "corner"
    middle = np.median(bundle.means_m, axis=0)
    near = np.linalg.norm(bundle.means_m - middle, axis=1) < 0.15
    replace(bundle, splats=bundle.splats.select(near), labels=bundle.labels[near]).save(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(small_published, tmp_path_factory):
    return small_published(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def predictor(checkpoint, corner):
    return load_predictor(checkpoint, "cpu", corner)


@pytest.fixture(scope="module")
def features(checkpoint, corner):
    """Of the global and of the local views."""
    specs = yaml.safe_load((checkpoint / "config.yaml").read_text())["encoders"]
    scene = SceneBundle.load(corner)
    views = SceneViews(scene, SplatSurface(scene))
    return [ViewFeatures(views, load_encoder(specs[view], device="cpu"), scene.sha256) for view in ("global", "local")]


@pytest.fixture(scope="module")
def touched(corner):
    """A point of the surface and the normal there."""
    scene = SceneBundle.load(corner)
    spot = SplatSurface(scene).query(np.median(scene.means_m, axis=0)[None])
    return spot.point_m[0], spot.normal[0]


@pytest.fixture(scope="module")
def candidate(touched):
    """Motions of a right hand that touches once, half a second on."""
    place, normal = touched

    def make(seconds=1.0, start_ns=START_NS, lift_m=0.0, rate_hz=30.0):
        frames = round(seconds * rate_hz)
        keypoints = np.full((frames, 2, 21, 3), np.nan, np.float32)
        keypoints[:, 1] = end_effector_keypoints(0.15, 0.0) + place + lift_m * normal
        valid = np.tile([False, True], (frames, 1))
        at = start_ns + 500_000_000
        position, up = (tuple(float(v) for v in values) for values in (place, normal))
        contact = Contact(at, at + 60_000_000, 1, "wood", position, up, 0.4, 0.0, "tap")
        return HandMotion(start_ns, rate_hz, keypoints, valid, (contact,) if seconds > 0.5 else ())

    return make


def off(one, other):
    """Largest difference, as a share of the std."""
    return float(np.abs(one - other).max() / one.std())


def test_each_candidate_is_predicted_over_its_window_in_whole_mel_frames(predictor, candidate, checkpoint):
    asked = [candidate(seconds) for seconds in (0.5, 0.7, 1.3, 8.0)]
    for one, prediction in zip(asked, predictor.predict(asked), strict=True):
        frames = int(one.duration_s * 62.5 + 1e-6)
        assert prediction.log_mel.shape == (80, frames)
        assert prediction.audio.shape == (256 * frames,)
        assert prediction.audio.std() > 0.0
        assert not prediction.log_mel_std.any()  # one draw
        assert prediction.start_ns == START_NS
        assert prediction.contacts == one.contacts
        assert prediction.predictor == "published"
        digest = yaml.safe_load((checkpoint / "config.yaml").read_text())["sha256"]["model.safetensors"]
        assert prediction.model == f"tiny@{digest[:8]}"


def test_equal_candidates_sound_equal_alone_in_a_batch_and_again(predictor, candidate):
    asked = [candidate(), candidate(1.3), candidate(start_ns=START_NS + 10**9), candidate()]
    together = predictor.predict(asked)
    for one, prediction in zip(asked, together, strict=True):
        (alone,) = predictor.predict([one])
        assert off(alone.log_mel, prediction.log_mel) < 1e-3
        assert off(alone.audio, prediction.audio) < 1e-3
    assert off(together[0].log_mel, together[3].log_mel) < 1e-3
    assert off(together[0].log_mel, together[2].log_mel) > 0.3  # another time has other noise
    assert predictor.predict([]) == []


def test_a_loaded_model_draws_what_it_drew_before(predictor, candidate, checkpoint, corner):
    again = load_predictor(checkpoint, "cpu", corner).predict([candidate()])[0]
    assert off(predictor.predict([candidate()])[0].audio, again.audio) < 1e-3


def test_the_hand_and_what_it_touches_are_heard(predictor, candidate):
    plain, lifted = predictor.predict([candidate(), candidate(lift_m=0.3)])
    assert off(plain.log_mel, lifted.log_mel) > 0.01
    (faster,) = predictor.predict([candidate(rate_hz=120.0)])
    assert off(plain.log_mel, faster.log_mel) < 1e-3  # the same motion, sampled more often


def test_eight_seconds_are_what_the_published_model_makes_of_its_own_rates(checkpoint, candidate, features):
    """240 hand frames and 32 views, spread by the network itself; the hand is lost on the way."""
    generator = PublishedGenerator.load(checkpoint, "cpu")
    whole, near = features
    motion = candidate(8.0)
    motion = replace(motion, valid=motion.valid & (np.arange(240) < 150)[:, None])
    hands = np.where(motion.valid[:, :, None, None], motion.keypoints, np.float32(0.0)).reshape(240, 126)
    seen, seen_near = whole.window(motion).scene, near.window(motion).local
    assert (len(seen), len(seen_near)) == (32, 32)
    given = [torch.from_numpy(values[None]) for values in (hands, seen, seen_near)]
    noise = noise_of_frames(round(START_NS / LATENT_NS), 250, 4, seed=5)
    wanted = generator.from_noise(torch.from_numpy(noise[None]), *given)
    predicted = PublishedPredictor(generator, whole, near, "tiny@0", seed=5).predict([motion])[0]
    assert off(wanted[0].numpy()[0], predicted.log_mel) < 1e-4
    assert off(wanted[1].numpy()[0], predicted.audio) < 1e-4
    drawn = torch.randn(1, 4, 250, generator=torch.Generator().manual_seed(0))
    same = generator.generate(*given, torch.Generator().manual_seed(0))[1], generator.from_noise(drawn, *given)[1]
    assert off(*(wave.numpy() for wave in same)) < 1e-4


def test_more_draws_have_a_spread_round_their_mean_and_the_first_is_heard(checkpoint, candidate, features):
    generator = PublishedGenerator.load(checkpoint, "cpu")
    asked = [candidate(start_ns=START_NS + 10**9), candidate()]
    several = PublishedPredictor(generator, *features, "tiny@0", alternatives=3).predict(asked)[1]
    singles = [PublishedPredictor(generator, *features, "", seed=seed).predict(asked[1:])[0] for seed in range(3)]
    draws = np.stack([single.log_mel for single in singles])
    assert off(several.log_mel, draws.mean(axis=0)) < 1e-3
    np.testing.assert_allclose(several.log_mel_std, draws.std(axis=0), atol=1e-3)
    assert several.log_mel_std.mean() > 0.01
    assert off(several.audio, singles[0].audio) < 1e-3
    with pytest.raises(ValueError, match="alternatives wanted at least 1, got 0"):
        PublishedPredictor(generator, *features, "", alternatives=0)


@pytest.mark.parametrize("shape", [(1, 4, 251), (1, 4, 0), (1, 5, 60), (2, 4, 60), (4, 60)])
def test_noise_of_another_shape_is_refused(checkpoint, shape):
    generator = PublishedGenerator.load(checkpoint, "cpu", fast=False)
    conditions = torch.zeros(1, 60, 126), torch.zeros(1, 8, 8), torch.zeros(1, 8, 12)
    with pytest.raises(ValueError, match=r"noise wanted \(1, 4, T\) with T from 1 to 250, got"):
        generator.from_noise(torch.zeros(shape), *conditions)


@pytest.mark.parametrize("seconds", [0.4, 8.1])
def test_windows_that_it_was_not_made_for_are_refused(predictor, candidate, seconds):
    with pytest.raises(ValueError, match=f"a candidate wanted 0.5 to 8 s, got {seconds:g} s"):
        predictor.predict([candidate(), candidate(seconds)])


def test_it_looks_as_it_is_asked_to(checkpoint, corner, candidate, predictor):
    bare = predictor.predict([candidate()])[0]
    for views in ("exact", "baked"):
        other = load_predictor(checkpoint, "cpu", corner, views).predict([candidate()])[0]
        assert off(bare.log_mel, other.log_mel) > 1e-3
    assert list((corner / "features").glob("random_12*.npz"))  # those of the local view


def test_one_encoder_for_both_views_is_loaded_once(small_encoders):
    config = {"network": {"conditioner": {"global_dim": 8, "local_dim": 8}}}
    both = load_encoders({**config, "encoders": dict.fromkeys(("global", "local"), small_encoders(8))}, "here", "cpu")
    assert both.whole is both.near


@pytest.mark.parametrize("encoders", [None, {"global": "x"}, {"global": 1, "local": 2}, "open_clip:ViT-B-32:x"])
def test_encoders_that_are_not_named_are_asked_for(small_published, corner, tmp_path, encoders):
    folder = small_published(tmp_path / "blind", encoders=encoders)
    with pytest.raises(ValueError) as caught:
        load_predictor(folder, "cpu", corner)
    said = str(caught.value)
    assert "config.yaml: encoders wanted {global: SPEC, local: SPEC} with SPEC as in 'open_clip:MODEL:FILE'" in said
    assert "`hearing-hands model convert --global-encoder SPEC --local-encoder SPEC`" in said


def test_an_encoder_of_another_width_is_refused_by_view(small_published, small_encoders, corner, tmp_path):
    encoders = {"global": small_encoders(8), "local": small_encoders(8)}
    folder = small_published(tmp_path / "narrow", encoders=encoders)
    with pytest.raises(ValueError, match=r"encoders.local wanted features of 12 numbers, as network.conditioner.local"):
        load_predictor(folder, "cpu", corner)


def test_a_scene_is_wanted_and_other_kinds_are_named(checkpoint, corner, tmp_path):
    with pytest.raises(ValueError, match="a generator wants a scene to look at, got none"):
        load_predictor(checkpoint)
    config = (checkpoint / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(config.replace("kind: published", "kind: vocoder"))
    with pytest.raises(ValueError, match="wants kind 'compact' or 'published', got 'vocoder'"):
        load_predictor(tmp_path, "cpu", corner)
