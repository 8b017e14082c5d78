"""3D Gaussian splatting: fit Gaussians to photos with known poses.

The rasteriser is passed in. On CUDA it is gsplat's; the loop itself runs wherever its rasteriser does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.reconstruct.photos import Report
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.whole_file import whole_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Rasterizer = Callable[..., tuple[Any, Any, dict[str, Any]]]
"""Called like `gsplat.rasterization` with means, quats, scales, opacities, colors, viewmats, Ks, width, height,
sh_degree and packed=False; returns (C, H, W, 3) images, (C, H, W, 1) alphas, and what densification needs to know."""

FAINTEST = 0.005  # opacity below which a Gaussian is not kept
LAST_RATE = 0.01  # share of the learning rate of the means that is left at the end


@dataclass(frozen=True)
class TrainingOptions:
    """How the Gaussians are fitted; learning rates are those of the 3D Gaussian splatting paper.

    Attributes:
        steps: One photo each.
        sh_degree: 0 to 3; it rises by one every `sh_every` steps.
        sh_every: Steps.
        longest_side: Photos are scaled down to this, pixels.
        similarity: Share of 1 - SSIM in the loss; the rest is the mean absolute difference.
        refine_from: Step at which Gaussians begin to be split, doubled and removed.
        refine_every: Steps.
        refine_until: Step.
        most_gaussians: No more are made beyond this many.
        checkpoint_every: Steps.
        seed: Of the order of photos and of the places of split Gaussians.
    """

    steps: int = 15_000
    sh_degree: int = 3
    sh_every: int = 1000
    longest_side: int = 1600
    similarity: float = 0.2
    refine_from: int = 500
    refine_every: int = 100
    refine_until: int = 7_500
    most_gaussians: int = 2_000_000
    checkpoint_every: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.sh_degree <= 3 or not 0.0 <= self.similarity <= 1.0:
            raise ValueError(f"TrainingOptions: wanted 1 step or more, sh_degree 0..3, similarity 0..1, got {self}")


@dataclass(frozen=True)
class View:
    """A photo without lens distortion, and its camera in splat units; (H, W, 3) uint8 of the camera's size."""

    camera: Camera
    image: NDArray[np.uint8]


def train(
    start: SplatScene,
    views: Sequence[View],
    options: TrainingOptions,
    rasterize: Rasterizer,
    device: str,
    checkpoint: Path,
    report: Report,
) -> SplatScene:
    """Fit Gaussians to photos; goes on from the checkpoint if that is of the same options.

    Args:
        start: First Gaussians, such as one on each 3D point.
        views: At least one.
        options: How.
        rasterize: Draws, differentiably.
        device: Of torch.
        checkpoint: File that is written on the way.
        report: Told about the steps.

    Returns:
        The fitted Gaussians.

    Raises:
        ValueError: There are no views, or the loss became NaN.
    """
    import torch

    if not views:
        raise ValueError("train: wanted at least one photo with a pose, got none")
    fit = _Fit(start, views, options, device)
    first = fit.resume(checkpoint)
    for step in range(first, options.steps):
        loss = fit.step(step, rasterize)
        if (step + 1) % options.checkpoint_every == 0 or step + 1 == options.steps:
            if not math.isfinite(loss):
                raise ValueError(f"train: wanted a finite loss, got {loss} at step {step}; the last checkpoint is kept")
            fit.save(checkpoint, step + 1)
        report(f"training {len(fit.params['means'])} Gaussians", step + 1, options.steps)
    with torch.no_grad():
        return fit.splats(start.source)


class _Fit:
    """Parameters, their optimisers and the densification, while they change together."""

    def __init__(self, start: SplatScene, views: Sequence[View], options: TrainingOptions, device: str) -> None:
        import torch
        from gsplat.strategy import DefaultStrategy  # type: ignore[import-untyped]

        self.views, self.options, self.device = views, options, device
        places = np.array([view.camera.position for view in views])
        self.extent = 1.1 * max(float(np.linalg.norm(places - places.mean(axis=0), axis=1).max()), 1e-6)
        opacities = np.clip(start.opacities, 1e-4, 1.0 - 1e-4)
        rest = np.zeros((len(start), (options.sh_degree + 1) ** 2 - 1, 3), np.float32)
        values = {
            "means": start.means,
            "scales": np.log(start.scales),
            "quats": start.quats_wxyz,
            "opacities": np.log(opacities / (1.0 - opacities)),
            "sh0": start.sh[:, :1],
            "shN": rest,
        }
        self.rates = {
            "means": 1.6e-4 * self.extent, "scales": 5e-3, "quats": 1e-3, "opacities": 5e-2,
            "sh0": 2.5e-3, "shN": 2.5e-3 / 20,
        }  # fmt: skip
        self.params: dict[str, torch.nn.Parameter] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self._set_parameters({name: torch.from_numpy(np.array(value, np.float32)) for name, value in values.items()})
        self.strategy = DefaultStrategy(
            prune_opa=FAINTEST,
            refine_start_iter=options.refine_from,
            refine_stop_iter=options.refine_until,
            refine_every=options.refine_every,
        )
        self.state = self.strategy.initialize_state(scene_scale=self.extent)

    def step(self, step: int, rasterize: Rasterizer) -> float:
        """Draw one photo's view, and move the parameters toward the photo."""
        import torch

        options = self.options
        # Seeds follow from the step, so that a resumed run does what the whole one would have done.
        torch.manual_seed(options.seed * 1_000_003 + step)
        epoch, turn = divmod(step, len(self.views))
        order = np.random.default_rng((options.seed, epoch)).permutation(len(self.views))
        view = self.views[order[turn]]
        wanted = torch.from_numpy(view.image).to(self.device).float()[None] / 255.0
        for group in self.optimizers["means"].param_groups:
            group["lr"] = self.rates["means"] * LAST_RATE ** (step / options.steps)
        drawn, _, info = self._draw(view.camera, min(step // options.sh_every, options.sh_degree), rasterize)
        refining = len(self.params["means"]) < options.most_gaussians
        if refining:
            self.strategy.step_pre_backward(self.params, self.optimizers, self.state, step, info)
        loss = _loss(drawn, wanted, options.similarity)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if refining:
            self.strategy.step_post_backward(self.params, self.optimizers, self.state, step, info, packed=False)
        return float(loss.detach())

    def save(self, path: Path, step: int) -> None:
        """Write everything that the next step depends on; the old checkpoint stays until the new one is whole."""
        import torch

        state = {
            "step": step,
            "options": asdict(self.options),
            "params": {name: value.detach() for name, value in self.params.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "strategy": self.state,
        }
        with whole_file(path) as draft:
            torch.save(state, draft)

    def resume(self, path: Path) -> int:
        """Take over a checkpoint; return the step to go on with, 0 if there is none of these options."""
        import torch

        if not path.is_file():
            return 0
        saved = torch.load(path, map_location=self.device, weights_only=True)
        if saved["options"] != asdict(self.options):
            return 0
        self._set_parameters(saved["params"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][name])
        self.state = saved["strategy"]
        return int(saved["step"])

    def splats(self, source: str) -> SplatScene:
        """The Gaussians that can be seen."""
        import torch
        from torch.nn.functional import normalize

        params = self.params
        opacities = torch.sigmoid(params["opacities"])
        kept = opacities >= FAINTEST
        arrays = {
            "means": params["means"],
            "scales": torch.exp(params["scales"]),
            "quats_wxyz": normalize(params["quats"], dim=-1),
            "opacities": opacities,
            "sh": torch.cat([params["sh0"], params["shN"]], dim=1),
        }
        return SplatScene(**{name: value[kept].cpu().numpy() for name, value in arrays.items()}, source=source)

    def _set_parameters(self, values: dict[str, Tensor]) -> None:
        import torch

        self.params = {name: torch.nn.Parameter(value.to(self.device)) for name, value in values.items()}
        self.optimizers = {
            name: torch.optim.Adam([value], lr=self.rates[name], eps=1e-15) for name, value in self.params.items()
        }

    def _draw(self, camera: Camera, sh_degree: int, rasterize: Rasterizer) -> tuple[Tensor, Tensor, dict[str, Any]]:
        import torch

        params = self.params
        return rasterize(
            means=params["means"],
            quats=params["quats"],
            scales=torch.exp(params["scales"]),
            opacities=torch.sigmoid(params["opacities"]),
            colors=torch.cat([params["sh0"], params["shN"]], dim=1),
            viewmats=torch.from_numpy(camera.viewmat).float().to(self.device)[None],
            Ks=torch.from_numpy(camera.intrinsics).float().to(self.device)[None],
            width=camera.width,
            height=camera.height,
            sh_degree=sh_degree,
            packed=False,
        )


def _loss(drawn: Tensor, wanted: Tensor, similarity: float) -> Tensor:
    from hearing_hands_ros.scene.reconstruct.ssim import ssim

    difference = (drawn - wanted).abs().mean()
    if similarity == 0.0:
        return difference
    alike = ssim(drawn.permute(0, 3, 1, 2), wanted.permute(0, 3, 1, 2))
    return (1.0 - similarity) * difference + similarity * (1.0 - alike)
