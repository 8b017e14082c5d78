"""`hearing-hands model info`: what is in a checkpoint folder."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from rich.console import Console

from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.libraries import optional


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `model info`."""
    parser.add_argument("model", type=Path, help="Folder of a checkpoint.")


def run(args: argparse.Namespace) -> int:
    """Print; 0 if it could be read."""
    optional("torch", "model info")
    from hearing_hands_ros.model.checkpoint import WEIGHTS, read_config

    config = read_config(args.model)
    path = args.model.expanduser() / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent}: wanted {WEIGHTS}, got nothing of that name")
    tell(make_console(), config, path)
    return 0


def tell(console: Console, config: Mapping[str, Any], path: Path) -> None:
    """Print what a checkpoint is."""
    counts, types = _parameters(path)
    line(console, "kind", config["kind"])
    line(console, "file", f"{path.name}, {path.stat().st_size / 1e6:,.1f} MB, {', '.join(sorted(types))}")
    line(console, "sha256", f"{config['sha256'][path.name]} (as written; `hearing-hands model check` compares)")
    line(console, "parameters", f"{sum(counts.values()):,}")
    if len(counts) > 1:
        for part, count in counts.items():
            line(console, "", f"{part}: {count:,}")
    for name, value in config.items():
        if name not in ("kind", "sha256"):
            line(console, name, _flat(value))


def _parameters(path: Path) -> tuple[Counter[str], set[str]]:
    """Values under each first part of a name, and the types; the weights are not read."""
    safetensors = optional("safetensors", str(path))
    counts: Counter[str] = Counter()
    types = set()
    try:
        with safetensors.safe_open(path, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118  (no mapping)
                part = stored.get_slice(name)
                counts[name.split(".")[0]] += prod(part.get_shape())
                types.add(part.get_dtype())
    except Exception as error:
        raise ValueError(f"{path}: wanted a file of safetensors, got one that cannot be read: {error}") from error
    return counts, types


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} {_flat(each)}" if not isinstance(each, Mapping) else f"{name} ({_flat(each)})"
            for name, each in value.items()
        )
    return str(value)
