import hashlib
import os
import pickle
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from hearing_hands_ros.model.checkpoint import CONFIG, WEIGHTS, load_checkpoint, save_checkpoint
from hearing_hands_ros.sequence import SequenceConfig

CONFIG_OF_IT = {
    "network": {"width": 3},
    "sequence": asdict(SequenceConfig()),
    "training": "nothing: random weights",
    "licence": "Apache-2.0",
}


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "model", "tiny", CONFIG_OF_IT, network().state_dict())
    return tmp_path / "model"


def rewrite(folder: Path, **changes: object) -> None:
    config = yaml.safe_load((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(yaml.safe_dump({**config, **changes}))


def replace_weights(folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).write_bytes(content)
    rewrite(folder, sha256={WEIGHTS: hashlib.sha256(content).hexdigest()})


def test_what_is_saved_comes_back_bit_for_bit_and_fills_a_network_without_weights(tmp_path: Path) -> None:
    source = network()
    source[0].to(torch.bfloat16)
    save_checkpoint(tmp_path, "tiny", CONFIG_OF_IT, source.state_dict())
    with torch.device("meta"):
        filled = network()
    checkpoint = load_checkpoint(tmp_path, "tiny")
    checkpoint.fill(filled)
    assert checkpoint.config["network"] == {"width": 3}
    assert checkpoint.sequence == SequenceConfig()
    for name, tensor in source.state_dict().items():
        assert filled.state_dict()[name].dtype == tensor.dtype
        assert torch.equal(filled.state_dict()[name], tensor)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CONFIG, WEIGHTS]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_who_may_read_a_checkpoint_is_as_for_any_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        for _ in range(2):  # the second time it is replaced
            save_checkpoint(tmp_path / "model", "tiny", CONFIG_OF_IT, network().state_dict())
    finally:
        os.umask(before)
    for name in (CONFIG, WEIGHTS):
        assert (tmp_path / "model" / name).stat().st_mode & 0o777 == mode


def test_one_file_fills_several_networks_by_prefix(tmp_path: Path) -> None:
    parts = {"a.": nn.Linear(2, 2), "b.": nn.Linear(3, 1)}
    tensors = {prefix + name: t for prefix, part in parts.items() for name, t in part.state_dict().items()}
    save_checkpoint(tmp_path, "tiny", CONFIG_OF_IT, tensors)
    filled = nn.Linear(3, 1)
    load_checkpoint(tmp_path, "tiny").fill(filled, "b.")
    assert torch.equal(filled.weight, parts["b."].weight)
    with pytest.raises(ValueError, match=r"tensor 'a.weight' wanted shape \(1, 3\), got \(2, 2\)"):
        load_checkpoint(tmp_path, "tiny").fill(nn.Linear(3, 1), "a.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("1.weight"), r"tensor '1.weight' wanted shape \(3,\), got none of that name"),
        (lambda tensors: tensors.update(more=torch.zeros(4)), r"tensor 'more' of shape \(4,\) is not wanted"),
        (
            lambda tensors: tensors.update({"0.bias": torch.zeros(5)}),
            r"tensor '0.bias' wanted shape \(3,\), got \(5,\)",
        ),
    ],
    ids=["missing", "extra", "mis-shaped"],
)
def test_tensors_that_do_not_fit_the_network_are_named(tmp_path: Path, change, message: str) -> None:
    tensors = dict(network().state_dict())
    change(tensors)
    save_checkpoint(tmp_path, "tiny", CONFIG_OF_IT, tensors)
    with pytest.raises(ValueError, match=f"{WEIGHTS}: {message}"):
        load_checkpoint(tmp_path, "tiny").fill(network())


def test_weights_that_are_not_finite_are_neither_written_nor_read(folder: Path) -> None:
    from safetensors.torch import load, save

    tensors = load((folder / WEIGHTS).read_bytes())
    before = (folder / WEIGHTS).read_bytes()
    tensors["0.weight"][1, 1] = torch.nan
    with pytest.raises(ValueError, match="tensor '0.weight' wanted finite values, got 1 of 6"):
        save_checkpoint(folder, "tiny", CONFIG_OF_IT, tensors)
    assert (folder / WEIGHTS).read_bytes() == before
    replace_weights(folder, save(tensors))
    with pytest.raises(ValueError, match=f"{WEIGHTS}: tensor '0.weight' wanted finite values, got 1 of 6"):
        load_checkpoint(folder, "tiny")


def test_finite_weights_whose_sum_overflows_are_taken(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "tiny", CONFIG_OF_IT, {"large": torch.full((10,), 3e38)})
    assert load_checkpoint(tmp_path, "tiny").tensors["large"].max() > 2e38


def test_one_changed_byte_is_noticed(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ValueError, match=f"{WEIGHTS}: sha256 wanted [0-9a-f]{{64}}, got [0-9a-f]{{64}}: the file is"):
        load_checkpoint(folder, "tiny")


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_under_the_name_of_safetensors_is_not_run(folder: Path, tmp_path: Path, how: str) -> None:
    trap = tmp_path / "was_run"
    if how == "torch":
        torch.save({"weights": Evil(trap)}, folder / WEIGHTS)
        replace_weights(folder, (folder / WEIGHTS).read_bytes())
    else:
        replace_weights(folder, pickle.dumps(Evil(trap)))
    with pytest.raises(ValueError, match=r"wanted a file of safetensors, got a pickle.*hearing-hands model convert"):
        load_checkpoint(folder, "tiny")
    assert not trap.exists()


def test_a_pickle_in_place_of_safetensors_is_named(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "model.pt")
    with pytest.raises(FileNotFoundError, match="wanted model.safetensors, got model.pt, a pickle"):
        load_checkpoint(folder, "tiny")


def test_a_file_cut_short_is_refused(folder: Path) -> None:
    replace_weights(folder, (folder / WEIGHTS).read_bytes()[:-8])
    with pytest.raises(ValueError, match=f"{WEIGHTS}: wanted a file of safetensors, got one that cannot be read"):
        load_checkpoint(folder, "tiny")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 7}, "format wanted 'hearing_hands_ros/checkpoint/1', got 7"),
        ({"kind": "vocoder"}, "kind wanted 'tiny', got 'vocoder'"),
        ({"licence": None}, "licence wanted a str that is not empty, got None"),
        ({"network": [1]}, r"network wanted a mapping that is not empty, got \[1\]"),
        ({"sha256": "00"}, "sha256 wanted a mapping with model.safetensors, got '00'"),
        ({"sequence": {"hop": 0}}, "sequence: SequenceConfig: hop wanted an integer of at least 1, got 0"),
        ({"sequence": {"hops": 3}}, r"sequence wanted fields of SequenceConfig, got \['hops'\] too"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_field_is_named(folder: Path, changes: dict[str, object], message: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(ValueError, match=f"{CONFIG}: {message}"):
        load_checkpoint(folder, "tiny")


@pytest.mark.parametrize(
    ("text", "got"), [("a: [", "something else"), ("- 1", "list"), ("!!python/name:os.system x", "something")]
)
def test_a_config_that_is_no_mapping_is_refused(folder: Path, text: str, got: str) -> None:
    (folder / CONFIG).write_text(text)
    with pytest.raises(ValueError, match=f"{CONFIG}: wanted .*, got {got}"):
        load_checkpoint(folder, "tiny")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"wanted config.yaml of a checkpoint, got nothing at .*/nowhere/"):
        load_checkpoint(tmp_path / "nowhere", "tiny")
