"""Files from outside may be anything. Many more cases: bench/fuzz_scene.py."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fuzzing import Target, broken, outcome, targets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CASES_PER_TARGET = 60

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([0, -1, 1e400, 2**70]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
tables = {
    "transforms.json",
    "dataparser_transforms.json",
    "cameras.json",
    "bundle's scene.yaml",
    "pairs.yaml",
    "poses.yaml",
}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Target, bytes]]:
    found = targets(tmp_path_factory.mktemp("fuzz"))
    return {target.name: (target, target.path.read_bytes()) for target in found}


def test_broken_files_are_read_or_refused_and_nothing_else(valid: dict[str, tuple[Target, bytes]]) -> None:
    rng = np.random.default_rng(2026)
    outcomes = {"read": 0, "refused": 0}
    for target, whole in valid.values():
        for _ in range(CASES_PER_TARGET):
            outcomes[outcome(target, broken(rng, target, whole))] += 1
        target.path.write_bytes(whole)
    assert outcomes["refused"] > 2 * outcomes["read"] > 0  # some changes are harmless, most are not


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_anywhere_in_a_document_is_read_or_refused(
    data: st.DataObject, valid: dict[str, tuple[Target, bytes]]
) -> None:
    target, whole = valid[data.draw(st.sampled_from(sorted(tables)))]
    is_yaml = target.path.suffix == ".yaml"
    document = yaml.safe_load(whole) if is_yaml else json.loads(whole)
    changed: Any = copy.deepcopy(document)
    place, parents = changed, []
    while isinstance(place, (dict, list)) and place and (not parents or data.draw(st.booleans())):
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        parents.append((place, key))
        place = place[key]
    parent, key = parents[-1]
    parent[key] = data.draw(values)
    text = yaml.safe_dump(changed, allow_unicode=True) if is_yaml else json.dumps(changed)
    try:
        outcome(target, text.encode("utf-8", "surrogatepass"))
    finally:
        target.path.write_bytes(whole)


binaries = (
    "small.ply",
    "small.spz",
    "COLMAP images.bin",
    "bundle's labels.npy",
    "descriptors.npz",
    "baked features",
    "point cloud.ply",
    "point cloud.npy",
    "photo.png",
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(binaries), content=st.binary())
def test_any_bytes_are_read_or_refused(name: str, content: bytes, valid: dict[str, tuple[Target, bytes]]) -> None:
    target, whole = valid[name]
    try:
        outcome(target, content)
    finally:
        target.path.write_bytes(whole)


def test_short_text_that_unfolds_into_a_long_one_is_refused(
    valid: dict[str, tuple[Target, bytes]], tmp_path: Path
) -> None:
    target, whole = valid["bundle's scene.yaml"]
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    try:
        with pytest.raises(ValueError, match="references are not read here"):
            target.path.write_bytes(("\n".join(rows)).encode() + b"\nup: *a11\n")
            target.read()
    finally:
        target.path.write_bytes(whole)


@pytest.mark.parametrize("name", ["pairs.yaml", "poses.yaml"])
def test_short_lists_that_unfold_into_long_ones_are_refused_briefly(
    valid: dict[str, tuple[Target, bytes]], name: str
) -> None:
    target, whole = valid[name]
    merged = ["- &a0 {x: 1}", *(f"- &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 12))]
    deep = ["- &b0 [1, 1, 1]", *(f"- &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 12))]
    start = b"images:\n" if name == "poses.yaml" else b""
    try:
        target.path.write_bytes(start + "\n".join(merged).encode())
        with pytest.raises(ValueError, match="merged keys .* are not read here"):
            target.read()
        target.path.write_bytes(start + "\n".join(deep).encode())
        with pytest.raises(ValueError, match="wanted {") as refused:
            target.read()
        assert len(str(refused.value)) < 2000
    finally:
        target.path.write_bytes(whole)


def test_what_is_there_twice_may_be_written_once(valid: dict[str, tuple[Target, bytes]]) -> None:
    target, whole = valid["pairs.yaml"]
    try:
        target.path.write_text("- {name: corner, splat: &p [1, 2, 3], robot: *p}")
        assert [pair.name for pair in target.read()] == ["corner"]  # type: ignore[attr-defined]
    finally:
        target.path.write_bytes(whole)
