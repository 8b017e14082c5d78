"""Two runs compared."""

import torch

from hearing_hands_ros.train.state import load_state


def plain(value):
    """Tensors out of nested containers, by where they are."""
    if isinstance(value, torch.Tensor):
        return {"": value}
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    return {f"{key}/{name}": tensor for key, part in parts for name, tensor in plain(part).items()}


def assert_same_state(one, two):
    first, second = load_state(one), load_state(two)
    assert first["progress"] == second["progress"]
    assert first["ema_updates"] == second["ema_updates"]
    for part in ("network", "ema", "optimizer"):
        wanted, got = plain(first[part]), plain(second[part])
        assert wanted.keys() == got.keys()
        assert [name for name in wanted if not torch.equal(wanted[name], got[name])] == []
