"""Pictures of splats: one function, one prepared renderer, three ways to compute them."""

from hearing_hands_ros.scene.render.model import Rendering
from hearing_hands_ros.scene.render.renderer import SplatRenderer, rasterization

__all__ = ["Rendering", "SplatRenderer", "rasterization"]
