"""What a URDF says: its links and where joint positions put them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

Array = NDArray[np.float64]

MOVING = ("revolute", "continuous", "prismatic")


def read_urdf(urdf: str | Path, who: str) -> tuple[ElementTree.Element, Path]:
    """Parse a URDF.

    Args:
        urdf: A file, or its text (as in the parameter `robot_description`).
        who: Begins messages.

    Returns:
        Its `robot`, and the folder that file names in it start from.

    Raises:
        ValueError: It is no URDF.
        FileNotFoundError: There is no such file.
    """
    if isinstance(urdf, str) and urdf.lstrip().startswith("<"):
        text, folder = urdf, Path()
    else:
        path = Path(urdf)
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted a URDF file, got nothing at {path}")
        text, folder = path.read_text(encoding="utf-8", errors="replace"), path.parent
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  (expat refuses entity bombs; a URDF has no other entities)
    except ElementTree.ParseError as error:
        raise ValueError(f"{who}: wanted a URDF, got what is no XML: {error}") from error
    if root.tag != "robot":
        raise ValueError(f"{who}: wanted a URDF, got XML of <{root.tag}>")
    return root, folder


def numbers(text: str | None, who: str, count: int) -> Array:
    """(count,) numbers of an attribute.

    Raises:
        ValueError: There are more or fewer, or they are not finite.
    """
    try:
        values = np.array([float(word) for word in (text or "").split()])
    except ValueError:
        values = np.empty(0)
    if len(values) != count or not np.isfinite(values).all():
        raise ValueError(f"{who} wanted {count} finite numbers, got {text!r}")
    return values


def origin_of(element: ElementTree.Element, who: str) -> Sim3:
    """Where an element's `origin` puts it; where its parent is, without one."""
    origin = element.find("origin")
    if origin is None:
        return Sim3.identity()
    turn = Rotation.from_euler("xyz", numbers(origin.get("rpy", "0 0 0"), who, 3))
    return Sim3(1.0, to_wxyz(turn), numbers(origin.get("xyz", "0 0 0"), who, 3))


@dataclass(frozen=True)
class Joint:
    """One joint of a URDF.

    Attributes:
        name: Of the joint.
        parent: Link.
        child: Link.
        kind: revolute, continuous, prismatic or fixed.
        parent_from_zero: Where the child is at position 0.
        axis: (3,) unit vector, in the child's frame.
        limits: Least and greatest position, rad or m.
        mimic: Joint that this one follows, with factor and offset; None if it is free.
    """

    name: str
    parent: str
    child: str
    kind: str
    parent_from_zero: Sim3
    axis: Array
    limits: tuple[float, float]
    mimic: tuple[str, float, float] | None

    @classmethod
    def of(cls, element: ElementTree.Element) -> Joint:
        """Read a `joint`.

        Raises:
            ValueError: Something in it is wrong, or it is planar or floating.
        """
        name, kind = element.get("name", ""), element.get("type", "")
        who = f"URDF: joint '{name}'"
        if kind not in (*MOVING, "fixed"):
            raise ValueError(f"{who} wanted {', '.join(MOVING)} or fixed, got '{kind}'")
        parent, child, axis_of, limit, mimic = map(element.find, ("parent", "child", "axis", "limit", "mimic"))
        if parent is None or child is None:
            raise ValueError(f"{who} wanted a parent and a child, got one or none")
        axis = np.array([1.0, 0.0, 0.0]) if axis_of is None else numbers(axis_of.get("xyz"), who, 3)
        length = float(np.linalg.norm(axis))
        if not length > 0.0:
            raise ValueError(f"{who} wanted an axis with a direction, got {axis.tolist()}")
        low, high = -np.inf, np.inf
        if kind in ("revolute", "prismatic") and limit is not None:
            low, high = (float(numbers(limit.get(end, "0"), who, 1)[0]) for end in ("lower", "upper"))
        if low > high:
            raise ValueError(f"{who} wanted a lower limit under the upper one, got {low:g} and {high:g}")
        follows = None
        if mimic is not None:
            factor = float(numbers(mimic.get("multiplier", "1"), who, 1)[0])
            follows = mimic.get("joint", ""), factor, float(numbers(mimic.get("offset", "0"), who, 1)[0])
        return cls(
            name=name,
            parent=parent.get("link", ""),
            child=child.get("link", ""),
            kind=kind,
            parent_from_zero=origin_of(element, who),
            axis=axis / length,
            limits=(low, high),
            mimic=follows,
        )

    def parent_from_child(self, position: float) -> Sim3:
        """Where the child is at a position, rad or m."""
        if self.kind == "fixed":
            return self.parent_from_zero
        if self.kind == "prismatic":
            moved = Sim3(1.0, np.array([1.0, 0.0, 0.0, 0.0]), position * self.axis)
        else:
            moved = Sim3(1.0, to_wxyz(Rotation.from_rotvec(position * self.axis)), np.zeros(3))
        return self.parent_from_zero @ moved


def link_poses(urdf: str | Path, positions: Mapping[str, float] | None = None) -> dict[str, Sim3]:
    """Where every link is, in the frame of the root link.

    Args:
        urdf: As in `read_urdf`.
        positions: Of joints by name, rad or m; others are at 0, or at the limit that is nearest to it.

    Raises:
        ValueError: It is no URDF, its links do not hang on one root, or a position is of no free joint or beyond its
            limits.
        FileNotFoundError: There is no such file.
    """
    root, _ = read_urdf(urdf, "URDF")
    joints = {joint.name: joint for joint in map(Joint.of, root.findall("joint"))}
    at = _positions(joints, positions or {})
    links = [link.get("name", "") for link in root.findall("link")]
    children = {joint.child for joint in joints.values()}
    roots = [link for link in links if link not in children]
    if len(roots) != 1:
        raise ValueError(f"URDF: wanted links that hang on one root, got {len(roots)}: {', '.join(roots)}")
    poses = {roots[0]: Sim3.identity()}
    waiting = list(joints.values())
    while ready := [joint for joint in waiting if joint.parent in poses]:
        for joint in ready:
            poses[joint.child] = poses[joint.parent] @ joint.parent_from_child(at[joint.name])
        waiting = [joint for joint in waiting if joint.child not in poses]
    loose = [link for link in links if link not in poses]
    if loose:
        raise ValueError(f"URDF: wanted links that hang on '{roots[0]}', got {', '.join(loose)}")
    return poses


def _positions(joints: Mapping[str, Joint], given: Mapping[str, float]) -> dict[str, float]:
    """Position of every joint; mimics follow theirs."""
    free = {name: joint for name, joint in joints.items() if joint.kind != "fixed" and joint.mimic is None}
    for name, value in given.items():
        if name not in free:
            raise ValueError(f"URDF: wanted a joint out of {', '.join(free) or 'none'}, got '{name}'")
        if not np.isfinite(value):
            raise ValueError(f"URDF: joint '{name}' wanted a finite position, got {value:g}")
        low, high = free[name].limits
        if not low <= value <= high:
            raise ValueError(f"URDF: joint '{name}' wanted {low:g} to {high:g}, got {value:g}")
    at = {name: given.get(name, float(np.clip(0.0, *joint.limits))) for name, joint in free.items()}
    at |= {name: 0.0 for name, joint in joints.items() if joint.kind == "fixed"}
    waiting = {name: joint.mimic for name, joint in joints.items() if name not in at and joint.mimic is not None}
    while ready := [name for name, mimic in waiting.items() if mimic[0] in at]:
        for name in ready:
            leader, factor, offset = waiting.pop(name)
            at[name] = factor * at[leader] + offset
    if waiting:
        raise ValueError(f"URDF: wanted mimic joints that follow a free one, got {', '.join(waiting)}")
    return at
