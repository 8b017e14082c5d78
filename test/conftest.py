"""What tests of all folders share: a ROS domain of their own, the demo's scene, small networks; and which are live."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from hearing_hands_ros.ros import domains

if TYPE_CHECKING:
    from hearing_hands_ros.scene.bundle import SceneBundle
    from hearing_hands_ros.scene.surface import SplatSurface

# New examples are for those who look for faults, not for whoever waits for a merge.
settings.register_profile("repeatable", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def free_domain() -> Callable[[], int]:
    """Give a ROS domain that nobody uses, another one at each call."""
    return domains.free_domain


@pytest.fixture
def private_domain(free_domain: Callable[[], int], tmp_path: Path) -> dict[str, str]:
    """Environment variables of a free ROS domain on this machine only, with its logs in the test's folder."""
    return {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path),
    }


@pytest.fixture(scope="session")
def bundle() -> SceneBundle:
    """The demo's scene."""
    from hearing_hands_ros.scene.bundle import SceneBundle

    return SceneBundle.load(Path(__file__).parents[1] / "demo" / "scene")


@pytest.fixture(scope="session")
def surface(bundle: SceneBundle) -> SplatSurface:
    """Its surface."""
    from hearing_hands_ros.scene.surface import SplatSurface

    return SplatSurface(bundle)


@pytest.fixture(scope="session")
def small_encoders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """Write an image encoder of so many numbers, with random weights, and give its folder."""
    from hearing_hands_ros.libraries import optional

    torch, timm = optional("torch", "test"), optional("timm", "test")
    from hearing_hands_ros.vision import checkpoint
    from hearing_hands_ros.vision.network import NetworkEncoder, Preprocessing

    folder = tmp_path_factory.mktemp("encoders")

    def make(dim: int) -> str:
        torch.manual_seed(dim)
        network = timm.create_model("test_resnet", pretrained=False, num_classes=dim)
        seen = Preprocessing(64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
        encoder = NetworkEncoder("random", network, seen, "CC0-1.0", "float32", "cpu")
        checkpoint.save(folder / str(dim), encoder, f"random_{dim}", "test_resnet", "none")
        return str(folder / str(dim))

    return make


@pytest.fixture(scope="session")
def small_published(small_encoders: Callable[[int], str]) -> Callable[..., Path]:
    """Write a checkpoint of the published model, small and with random weights, and give its folder.

    Its encoders give 8 and 12 numbers; keywords replace what config.yaml says.
    """
    import torch

    from hearing_hands_ros.model.checkpoint import save_checkpoint
    from hearing_hands_ros.model.published.autoencoder import Autoencoder
    from hearing_hands_ros.model.published.bigvgan import FILTER, BigVGAN
    from hearing_hands_ros.model.published.conditioner import Conditioner
    from hearing_hands_ros.model.published.config import PublishedConfig
    from hearing_hands_ros.model.published.velocity import VelocityNetwork

    network: dict[str, dict[str, Any]] = {
        "conditioner": {"global_dim": 8, "local_dim": 12, "width": 32},
        "velocity": {"latent": 4, "context": 32, "width": 32, "heads": 2, "blocks": 1, "growth": 1, "kernel": 3},
        "autoencoder": {"latent": 4, "width": 32, "multiples": [1, 1], "encoder_blocks": 1},
        "vocoder": {"width": 32, "rates": [4, 4, 4, 4], "kernels": [8, 8, 8, 8]},
    }

    def make(folder: Path, **changes: Any) -> Path:
        torch.manual_seed(0)
        config = PublishedConfig.from_mapping(network)
        parts: dict[str, torch.nn.Module] = {
            "conditioner": Conditioner(config.conditioner),
            "velocity": VelocityNetwork(config.velocity),
            "autoencoder": Autoencoder(config.autoencoder),
            "vocoder": BigVGAN(config.vocoder),
        }
        tensors = {f"{part}.{name}": t for part, each in parts.items() for name, t in each.state_dict().items()}
        for name, tensor in tensors.items():
            if name.endswith("filter"):
                tensor.copy_(torch.hann_window(FILTER, periodic=False) / (FILTER / 2 - 0.5))
            elif tensor.ndim > 1 and not tensor.any():  # nothing would be heard of the conditions
                torch.nn.init.normal_(tensor, 0.0, 0.3)
        document = {
            "network": network,
            "sequence": {"hop": 256},
            "training": "none",
            "licence": "CC0-1.0",
            "encoders": {"global": small_encoders(8), "local": small_encoders(12)},
        }
        save_checkpoint(folder, "published", {**document, **changes}, tensors)
        return folder

    return make


LIVE = {"free_domain", "private_domain", "ros_domain", "shared_ros_domain"}


def pytest_configure() -> None:
    """Let what tests start be interrupted: a shell's background jobs ignore Ctrl-C, and so does all that they start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests over DDS as live, and give all live ones a second chance: a busy machine is not their fault.

    A test that needed it is listed as RERUN in the summary.
    """
    for item in items:
        if LIVE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.live)
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.flaky(reruns=1))
