"""A registration from above: the scene in the robot's frame, and what it was registered by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hearing_hands_ros.scene.registration.report import RegistrationReport
from hearing_hands_ros.scene.splats import SplatScene

MOST_GAUSSIANS = 150_000
INLIER, OUTLIER = "#1a7f37", "#cf222e"


def draw_top_view(path: str | Path, splats: SplatScene, report: RegistrationReport, parent_frame: str) -> None:
    """Write a picture (.png, .svg) of the x-y plane of the parent frame.

    Args:
        path: The file.
        splats: The scene; its Gaussians are drawn in their colours, lower ones first.
        report: The registration, accepted or refused.
        parent_frame: Name for the axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = np.flatnonzero(splats.opacities > 0.3)
    chosen = chosen[np.random.default_rng(0).permutation(len(chosen))[:MOST_GAUSSIANS]]
    points = report.parent_from_splat.apply(splats.means[chosen])
    order = np.argsort(points[:, 2])
    figure = Figure(figsize=(8, 7), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.scatter(points[order, 0], points[order, 1], s=7, c=splats.rgb[chosen][order], linewidths=0, rasterized=True)
    for is_inlier, colour, word in ((True, INLIER, "agrees"), (False, OUTLIER, "does not agree")):
        group = [o for o in report.observations if o.is_inlier is is_inlier]
        if group:
            at = np.array([o.position_m[:2] for o in group])
            axes.scatter(
                at[:, 0],
                at[:, 1],
                s=60,
                marker="^",
                c=colour,
                edgecolors="white",
                label=f"{word}: {len(group)}",
                zorder=3,
            )
    paper = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    for number, observation in enumerate(o for o in report.observations if not o.is_inlier):
        x, y, _ = observation.position_m
        shift = (8, 12 if number % 2 else -18)  # neighbours do not overlap
        axes.annotate(
            observation.name, (x, y), xytext=shift, textcoords="offset points", fontsize=8, color=OUTLIER, bbox=paper
        )
    axes.plot(0, 0, "+", color="black", markersize=14, zorder=3)
    axes.annotate(parent_frame, (0, 0), textcoords="offset points", xytext=(6, 6), fontsize=8)
    axes.set_aspect("equal")
    axes.set_xlabel(f"x of {parent_frame} [m]")
    axes.set_ylabel(f"y of {parent_frame} [m]")
    axes.set_title(f"registered from {report.way}: {report.residual_mm:.1f} mm, {report.residual_deg:.2f} deg")
    axes.legend(loc="upper right")
    figure.savefig(path)
