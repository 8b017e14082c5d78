from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.reconstruct.points import splats_from_points
from hearing_hands_ros.scene.reconstruct.training import TrainingOptions, View, train
from hearing_hands_ros.scene.splats import SplatScene

torch = pytest.importorskip("torch")
pytest.importorskip("gsplat")

from hearing_hands_ros.scene.reconstruct.ssim import ssim  # noqa: E402
from hearing_hands_ros.scene.render.torch_reference import colour, project  # noqa: E402

SIZE = 24
OPTIONS = TrainingOptions(
    steps=240,
    sh_degree=1,
    sh_every=100,
    refine_from=20,
    refine_every=30,
    refine_until=100,
    checkpoint_every=80,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Arrays this small gain nothing from more, and lose much where other programs run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rasterize(
    means: Any,
    quats: Any,
    scales: Any,
    opacities: Any,
    colors: Any,
    viewmats: Any,
    Ks: Any,
    width: int,
    height: int,
    sh_degree: int,
    packed: bool,
) -> tuple[Any, Any, dict[str, Any]]:
    """Every Gaussian at every pixel: what gsplat does on a GPU, for very few of them."""
    view = viewmats[0]
    centres, conics, radii, depths = project(means, quats, scales, view, Ks[0], width, height)
    centres = centres[None]
    eye = -view[:3, :3].T @ view[:3, 3]
    rgb = colour(colors[:, : (sh_degree + 1) ** 2], means - eye)
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    order = torch.argsort(depths)
    apart = torch.stack([x, y], dim=-1).reshape(-1, 1, 2) - centres[0][order]
    sigma = 0.5 * torch.einsum("pni,nij,pnj->pn", apart, conics[order], apart)
    alpha = (opacities[order] * torch.exp(-sigma)).clamp(max=0.99) * (depths[order] > 0.01)
    through = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1.0 - alpha], dim=1), dim=1)
    weights = alpha * through[:, :-1]
    image = (weights @ rgb[order]).reshape(1, height, width, 3)
    info = {"means2d": centres, "radii": radii[None], "n_cameras": 1, "gaussian_ids": None}
    info |= {"width": width, "height": height}
    return image, weights.sum(dim=1).reshape(1, height, width, 1), info


def make_views(scene: SplatScene) -> list[View]:
    views = []
    for i, angle in enumerate(np.linspace(0.0, 2.0 * np.pi, 6, endpoint=False)):
        camera = Camera.look_at(
            f"view_{i}", [2.2 * np.cos(angle), 2.2 * np.sin(angle), 0.9], (0, 0, 0), (0, 0, 1), SIZE, 50.0
        )
        views.append(View(camera, (255 * draw(scene, camera)).astype(np.uint8)))
    return views


def draw(scene: SplatScene, camera: Camera) -> np.ndarray:
    tensors = [torch.from_numpy(getattr(scene, n)) for n in ("means", "quats_wxyz", "scales", "opacities", "sh")]
    pose = [torch.from_numpy(m).float()[None] for m in (camera.viewmat, camera.intrinsics)]
    with torch.no_grad():
        image, _, _ = rasterize(*tensors, *pose, SIZE, SIZE, sh_degree=scene.sh_degree, packed=False)
    return np.clip(image[0].numpy(), 0.0, 1.0)


def difference(scene: SplatScene, views: list[View]) -> float:
    return float(np.mean([np.abs(draw(scene, view.camera) - view.image / 255.0).mean() for view in views]))


@pytest.fixture(scope="module")
def true_scene() -> SplatScene:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(60, 3))
    points *= 0.6 / np.linalg.norm(points, axis=1, keepdims=True)
    rgb = rng.integers(20, 255, (60, 3)).astype(np.uint8)
    return splats_from_points(points, rgb, opacity=0.95, size=0.5)


@pytest.fixture(scope="module")
def views(true_scene: SplatScene) -> list[View]:
    return make_views(true_scene)


@pytest.fixture(scope="module")
def start(true_scene: SplatScene) -> SplatScene:
    """A third of the points, grey, not quite in their places."""
    rng = np.random.default_rng(2)
    points = true_scene.means[::3] + rng.normal(0.0, 0.05, (20, 3))
    return splats_from_points(points.astype(float), np.full((20, 3), 128, np.uint8), opacity=0.3, size=0.7)


def run(start: SplatScene, views: list[View], checkpoint: Path, **changes: Any) -> SplatScene:
    options = replace(OPTIONS, **changes)
    return train(start, views, options, rasterize, "cpu", checkpoint, lambda *_: None)


@pytest.fixture(scope="module")
def trained(start: SplatScene, views: list[View], tmp_path_factory) -> SplatScene:
    return run(start, views, tmp_path_factory.mktemp("training") / "training.pt")


def test_training_makes_the_views_look_like_the_photos(
    start: SplatScene, views: list[View], trained: SplatScene
) -> None:
    assert difference(trained, views) < 0.5 * difference(start, views)


def test_training_adds_gaussians_where_they_are_missing(start: SplatScene, trained: SplatScene) -> None:
    assert len(trained) > len(start)
    assert trained.sh_degree == 1


def test_no_gaussians_are_added_beyond_the_most(start: SplatScene, views: list[View], tmp_path: Path) -> None:
    kept = run(start, views, tmp_path / "training.pt", most_gaussians=len(start), steps=60)
    assert len(kept) <= len(start)


def test_a_training_that_was_stopped_goes_on_to_the_same_end(
    start: SplatScene, views: list[View], trained: SplatScene, tmp_path: Path
) -> None:
    class PowerCutError(Exception):
        pass

    def cut(stage: str, done: int, total: int) -> None:
        if done == 130:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        train(start, views, OPTIONS, rasterize, "cpu", tmp_path / "training.pt", cut)
    steps: list[int] = []
    resumed = train(
        start, views, OPTIONS, rasterize, "cpu", tmp_path / "training.pt", lambda stage, done, total: steps.append(done)
    )
    assert steps[0] == 81
    assert len(resumed) == len(trained)
    assert resumed.means == pytest.approx(trained.means, abs=1e-4)
    assert resumed.sh == pytest.approx(trained.sh, abs=1e-3)


def test_other_options_begin_training_anew(start: SplatScene, views: list[View], tmp_path: Path) -> None:
    run(start, views, tmp_path / "training.pt", steps=5)
    steps: list[int] = []
    options = replace(OPTIONS, steps=6)
    train(
        start, views, options, rasterize, "cpu", tmp_path / "training.pt", lambda stage, done, total: steps.append(done)
    )
    assert steps == [1, 2, 3, 4, 5, 6]


def test_training_without_photos_is_refused(start: SplatScene, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        run(start, [], tmp_path / "training.pt")


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sh_degree 0\.\.3"):
        TrainingOptions(sh_degree=4)


def test_similarity_of_an_image_with_itself_is_one_and_falls_with_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((1, 3, 24, 24), generator=generator)
    noise = torch.rand((1, 3, 24, 24), generator=generator) - 0.5
    assert float(ssim(image, image)) == pytest.approx(1.0, abs=1e-5)
    assert 1.0 > float(ssim(image, image + 0.1 * noise)) > float(ssim(image, image + 0.5 * noise))


def test_similarity_agrees_with_scikit_image() -> None:
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(3)
    a = rng.random((40, 40, 3))
    b = np.clip(a + rng.normal(0.0, 0.1, a.shape), 0.0, 1.0)
    wanted = structural_similarity(
        a, b, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    tensors = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (a, b)]
    assert float(ssim(*tensors)) == pytest.approx(wanted, abs=0.003)
