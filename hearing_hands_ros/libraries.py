"""Libraries that only some users install."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

_torchvision_operators: list[Any] = []  # a torch.library.Library takes its operators along when it is collected


def optional(name: str, who: str, extra: str = "vision") -> ModuleType:
    """Import a library, or say how to get it.

    Args:
        name: Of the module.
        who: Wants it.
        extra: Of this package, that brings it.

    Raises:
        ImportError: It is not installed.
    """
    try:
        if name in ("timm", "open_clip", "torchvision"):
            _mend_torchvision()
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{who}: wanted the library '{name}', got none ({error}); pip install 'hearing_hands_ros[{extra}]'"
        ) from error


def _mend_torchvision() -> None:
    """Make torchvision importable beside a torch built for another device.

    PyPI's torchvision does not register its C++ operators with a CPU build of torch, and then fails on import for want
    of two that no encoder uses. Declared first, they are found.
    """
    if _torchvision_operators:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        torch = importlib.import_module("torch")
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _torchvision_operators.append(library)
