"""From the published PyTorch files to a checkpoint folder."""

import argparse
import functools
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import reference
import torch
import yaml
from torch import Tensor

from hearing_hands_ros.cli import model as command
from hearing_hands_ros.model.checkpoint import CONFIG
from hearing_hands_ros.model.published import conversion
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.conversion import PREFIXES, convert, read_published
from hearing_hands_ros.model.published.generator import PublishedGenerator
from hearing_hands_ros.predictors.published_encoders import settled

Published = dict[str, dict[str, Any]]


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(list(words)))


def tiny_files() -> Published:
    """Contents of the two published files, at small size."""
    parts = {"velocity.": "flow", "autoencoder.": "autoencoder", "conditioner.": "conditioner"}
    state = {
        PREFIXES[ours] + name: tensor
        for ours, part in parts.items()
        for name, tensor in reference.stored(part)[1].items()
    }
    state["betas"] = torch.zeros(1000)  # a buffer of the schedule, to be ignored
    return {
        "model.ckpt": {"state_dict": state, "epoch": 3, "hyper_parameters": {"lr": 4e-4}},
        "vocoder.pt": {"generator": reference.stored("vocoder")[1]},
    }


def save(folder: Path, files: Published) -> tuple[Path, Path]:
    for name, content in files.items():
        torch.save(content, folder / name)
    return folder / "model.ckpt", folder / "vocoder.pt"


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    convert(*save(tmp_path, tiny_files()), tmp_path / "model", reference.TINY, reference.TINY_SEQUENCE)
    return tmp_path / "model"


def test_what_was_converted_gives_the_published_numbers(converted: Path) -> None:
    generator = PublishedGenerator.load(converted, device="cpu", fast=False)
    given, _ = reference.stored("flow")
    with torch.inference_mode():
        velocity = generator.velocity(given["x"], given["t"], given["context"])
        wave = generator.vocoder(reference.stored("vocoder")[0]["mel"])
    assert reference.error(velocity, given["v"]) < 1e-4
    assert reference.error(wave, reference.stored("vocoder")[0]["wave"][:, 0]) < 1e-4
    assert generator.sequence == reference.TINY_SEQUENCE


def test_info_and_check_say_what_it_is(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", str(converted)) == 0
    told = capsys.readouterr().out
    assert "published" in told
    assert "velocity: " in told
    assert "arXiv 2506.09989" in told
    assert run("check", str(converted)) == 0
    config = yaml.safe_load((converted / CONFIG).read_text())
    config["network"]["velocity"]["blocks"] = 3
    (converted / CONFIG).write_text(yaml.safe_dump(config))
    assert run("check", str(converted)) == 1
    assert "'velocity.blocks.2.norm.weight' wanted shape (32,), got none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"velocity": {"heads": 5}}, r"velocity.heads wanted a divisor of velocity.width \(32\), got 5"),
        ({"velocity": {"width": "wide"}}, "network.velocity.width: wanted a whole number of at least 1, got 'wide'"),
        ({"vocoder": {"rates": [4, 4, 4]}}, "vocoder.rates wanted a product of 32, got 64"),
        ({"vocoder": {"speed": 3}}, "network.vocoder: wanted some of .*, got 'speed'"),
        ({"autoencoder": {"scale": -1}}, "network.autoencoder.scale: wanted a positive number, got -1"),
        ({"conditioner": {"width": 17}}, r"conditioner.width wanted velocity.context \(16\), got 17"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_by_field(converted: Path, change, message: str) -> None:
    config = yaml.safe_load((converted / CONFIG).read_text())
    for part, values in change.items():
        config["network"][part].update(values)
    (converted / CONFIG).write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=f"{CONFIG}: .*{message}"):
        PublishedGenerator.load(converted, device="cpu")


def full_files() -> Published:
    """Of the very shapes of the published ones; one random value each, which a file stores once."""
    generator = torch.Generator().manual_seed(0)
    keys = reference.published_keys()

    def tensors(part: dict[str, tuple[int, ...]], prefix: str = "") -> dict[str, Tensor]:
        return {prefix + name: torch.randn(1, generator=generator).expand(shape) for name, shape in part.items()}

    state: dict[str, Tensor] = {}
    for prefix in PREFIXES.values():
        state |= tensors(keys[prefix], prefix)
    return {"model.ckpt": {"state_dict": state}, "vocoder.pt": {"generator": tensors(keys["vocoder generator"])}}


def test_files_of_the_published_shapes_are_taken_and_the_first_difference_is_named(tmp_path: Path) -> None:
    files = full_files()
    tensors = read_published(*save(tmp_path, files))
    sizes = dict.fromkeys(("velocity", "autoencoder", "conditioner"), 0)
    for name, tensor in tensors.items():
        part = name.split(".")[0]
        if part in sizes:
            sizes[part] += tensor.numel()
    assert sizes == {"velocity": 158_882_708, "autoencoder": 212_958_212, "conditioner": 1_277_952}
    del tensors
    name = "model.diffusion_model.blocks.2.norm.weight"
    files["model.ckpt"]["state_dict"][name] = torch.zeros(575)
    with pytest.raises(ValueError, match=rf"model.ckpt: tensor '{name}' wanted shape \(576,\), got \(575,\)"):
        read_published(*save(tmp_path, files), PublishedConfig())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f["model.ckpt"]["state_dict"].pop("cond_stage_model.hand_pose_embedder.0.bias"),
         r"model.ckpt: tensor 'cond_stage_model.hand_pose_embedder.0.bias' wanted shape \(16,\), got none"),
        (lambda f: f["model.ckpt"]["state_dict"].update({"first_stage_model.more": torch.zeros(2)}),
         r"model.ckpt: tensor 'first_stage_model.more' of shape \(2,\) is not wanted"),
        (lambda f: f["vocoder.pt"]["generator"].pop("conv_pre.weight_g"),
         r"vocoder.pt: tensor 'conv_pre.weight_g' wanted shape \(64, 1, 1\), got none"),
        (lambda f: f["vocoder.pt"]["generator"]["conv_pre.weight_v"].fill_(torch.inf),
         r"vocoder.pt: tensor 'conv_pre.weight_v' wanted finite values, got 3584 of 3584"),
        (lambda f: f.update({"model.ckpt": {"weights": {}}}),
         r"model.ckpt: wanted a mapping with 'state_dict', got \['weights'\]"),
        (lambda f: f.update({"vocoder.pt": [torch.zeros(3)]}), r"vocoder.pt: wanted a mapping .*, got list"),
    ],
    ids=["missing", "extra", "vocoder missing", "infinite", "other key", "no mapping"],
)  # fmt: skip
def test_other_files_are_refused_and_nothing_is_written(tmp_path: Path, change, message: str) -> None:
    files = tiny_files()
    change(files)
    with pytest.raises(ValueError, match=message):
        convert(*save(tmp_path, files), tmp_path / "model", reference.TINY, reference.TINY_SEQUENCE)
    assert not (tmp_path / "model").exists()


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["zip", "old", "plain pickle"])
def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, how: str) -> None:
    checkpoint, vocoder = save(tmp_path, tiny_files())
    trap = tmp_path / "was_run"
    content = {"state_dict": {}, "callbacks": Evil(trap)}
    if how == "plain pickle":
        checkpoint.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, checkpoint, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(
        ValueError, match="model.ckpt: wanted a PyTorch file of tensors alone, got one that asks for code"
    ):
        convert(checkpoint, vocoder, tmp_path / "model", reference.TINY, reference.TINY_SEQUENCE)
    assert not trap.exists()


def test_files_of_old_pytorch_are_taken(tmp_path: Path) -> None:
    checkpoint, vocoder = save(tmp_path, tiny_files())
    torch.save(tiny_files()["model.ckpt"], checkpoint, _use_new_zipfile_serialization=False)
    assert read_published(checkpoint, vocoder, reference.TINY)["velocity.pos_emb.weight"].shape == (300, 32)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"PK\x03\x04 cut short"])
def test_what_is_no_pytorch_file_is_refused(tmp_path: Path, content: bytes) -> None:
    checkpoint, vocoder = save(tmp_path, tiny_files())
    checkpoint.write_bytes(content)
    with pytest.raises(ValueError, match="model.ckpt: wanted a PyTorch file"):
        read_published(checkpoint, vocoder, reference.TINY)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    checkpoint, _ = save(tmp_path, tiny_files())
    with pytest.raises(FileNotFoundError, match=r"nowhere.pt: wanted a PyTorch file, got nothing there"):
        read_published(checkpoint, tmp_path / "nowhere.pt", reference.TINY)


def test_the_command_wants_the_published_sizes_and_a_free_name(tmp_path: Path) -> None:
    checkpoint, vocoder = save(tmp_path, tiny_files())
    with pytest.raises(
        ValueError, match=r"tensor 'model.diffusion_model.t_embedder.mlp.0.weight' wanted shape \(576, 256\)"
    ):
        run("convert", str(checkpoint), str(vocoder), str(tmp_path / "model"))
    with pytest.raises(ValueError, match="wanted a name that is free"):
        run("convert", str(checkpoint), str(vocoder), str(checkpoint))


def test_the_command_keeps_the_encoders_with_their_whole_paths(
    tmp_path: Path, small_encoders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = functools.partial(convert, config=reference.TINY, sequence=reference.TINY_SEQUENCE)
    monkeypatch.setattr(conversion, "convert", small)  # the published sizes would be 1.9 GB
    checkpoint, vocoder = save(tmp_path, tiny_files())
    whole, near = small_encoders(512), small_encoders(1024)
    monkeypatch.chdir(Path(whole).parent)
    out = tmp_path / "model"
    given = ["--global-encoder", "./512", "--local-encoder", near]
    assert run("convert", str(checkpoint), str(vocoder), str(out), *given) == 0
    assert yaml.safe_load((out / CONFIG).read_text())["encoders"] == {"global": whole, "local": near}
    assert run("info", str(out)) == 0
    assert f"global {whole}, local {near}" in capsys.readouterr().out
    assert run("check", str(out)) == 1  # the small network knows features of 6 numbers
    assert "encoders.global wanted features of 6 numbers" in capsys.readouterr().out


def test_encoders_that_do_not_fit_are_refused_before_anything_is_read(tmp_path: Path, small_encoders) -> None:
    files = [str(path) for path in save(tmp_path, tiny_files())]
    narrow, wide = small_encoders(512), small_encoders(1024)
    refused = [
        (["--global-encoder", narrow], "wanted --global-encoder and --local-encoder, or neither, got one of them"),
        (
            ["--global-encoder", wide, "--local-encoder", wide],
            "encoders.global wanted features of 512 numbers.* got 1024",
        ),
        (["--global-encoder", narrow, "--local-encoder", "clip"], "load_encoder: wanted .*got 'clip'"),
    ]
    for words, message in refused:
        with pytest.raises(ValueError, match=message):
            run("convert", *files, str(tmp_path / "model"), *words)
    with pytest.raises(FileNotFoundError, match="open_clip:ViT-B-32: wanted a file of weights"):
        run(
            "convert",
            *files,
            str(tmp_path / "model"),
            "--global-encoder",
            "open_clip:ViT-B-32:no",
            "--local-encoder",
            wide,
        )
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("open_clip:ViT-B-32:clip.safetensors", "open_clip:ViT-B-32:{here}/clip.safetensors"),
        ("open_clip:RN50:/weights.pt", "open_clip:RN50:/weights.pt"),
        ("mine/encoder", "{here}/mine/encoder"),
        ("efficientnet_lite0", "efficientnet_lite0"),
    ],
)
def test_an_encoder_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, wanted: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settled(spec) == wanted.format(here=tmp_path)
