"""Rotation arithmetic of the transform buffer on plain floats.

Quaternions here are (x, y, z, w), the order of the messages this data comes from and goes back to. tf2 keeps rotations
as matrices at its borders, so a quaternion that passes a border comes back normalised and with a sign of its choice.
The order of the floating-point operations is the one tf2 uses, so that results differ from its own by rounding at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import acos, sin, sqrt

Quaternion = tuple[float, float, float, float]
Pose = tuple[float, float, float, float, float, float, float]
Sample = tuple[int, float, float, float, float, float, float, float]
"""Parent frame number, then tx, ty, tz, qx, qy, qz, qw."""

Matrix = tuple[float, float, float, float, float, float, float, float, float]


def to_matrix(x: float, y: float, z: float, w: float) -> Matrix:
    """Row-major rotation matrix of a quaternion of any length but zero."""
    s = 2.0 / (x * x + y * y + z * z + w * w)
    xs = x * s
    ys = y * s
    zs = z * s
    wx = w * xs
    wy = w * ys
    wz = w * zs
    xx = x * xs
    xy = x * ys
    xz = x * zs
    yy = y * ys
    yz = y * zs
    zz = z * zs
    return (1.0 - (yy + zz), xy - wz, xz + wy, xy + wz, 1.0 - (xx + zz), yz - wx, xz - wy, yz + wx, 1.0 - (xx + yy))


def from_matrix(m: Matrix) -> Quaternion | None:
    """Quaternion of a rotation matrix; None where the matrix is none (an infinite or vanishing quaternion made it)."""
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = m
    trace = m00 + m11 + m22
    if trace > 0.0:
        s = sqrt(trace + 1.0)
        w = s * 0.5
        s = 0.5 / s
        return (m21 - m12) * s, (m02 - m20) * s, (m10 - m01) * s, w
    axis = (2 if m11 < m22 else 1) if m00 < m11 else (2 if m00 < m22 else 0)
    square = (m00 - m11 - m22 if axis == 0 else m11 - m22 - m00 if axis == 1 else m22 - m00 - m11) + 1.0
    if not square > 0.0:
        return None
    s = sqrt(square)
    large = s * 0.5
    s = 0.5 / s
    if axis == 0:
        return large, (m10 + m01) * s, (m20 + m02) * s, (m21 - m12) * s
    if axis == 1:
        return (m01 + m10) * s, large, (m21 + m12) * s, (m02 - m20) * s
    return (m02 + m20) * s, (m12 + m21) * s, large, (m10 - m01) * s


def canonical(x: float, y: float, z: float, w: float) -> Quaternion | None:
    """The same rotation, normalised and with tf2's sign; None where no rotation is meant (zero, not finite)."""
    d = x * x + y * y + z * z + w * w
    if d == 0.0:
        return None
    s = 2.0 / d
    xs = x * s
    ys = y * s
    zs = z * s
    xx = x * xs
    yy = y * ys
    zz = z * zs
    trace = (1.0 - (yy + zz)) + (1.0 - (xx + zz)) + (1.0 - (xx + yy))
    if trace > 0.0:
        wx = w * xs
        wy = w * ys
        wz = w * zs
        xy = x * ys
        xz = x * zs
        yz = y * zs
        r = sqrt(trace + 1.0)
        s = 0.5 / r
        return (yz + wx - (yz - wx)) * s, (xz + wy - (xz - wy)) * s, (xy + wz - (xy - wz)) * s, r * 0.5
    return from_matrix(to_matrix(x, y, z, w))


def slerp(a: Quaternion, b: Quaternion, ratio: float) -> Quaternion:
    """Spherical interpolation along the shorter arc, `ratio` of the way from `a` to `b`."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    dot = ax * bx + ay * by + az * bz + aw * bw
    scale = sqrt((ax * ax + ay * ay + az * az + aw * aw) * (bx * bx + by * by + bz * bz + bw * bw))
    cosine = (-dot if dot < 0.0 else dot) / scale
    theta = acos(cosine) if cosine < 1.0 else 0.0
    if theta == 0.0:
        return a
    d = 1.0 / sin(theta)
    s0 = sin((1.0 - ratio) * theta)
    s1 = sin(ratio * theta)
    if dot < 0.0:
        s1 = -s1
    return (ax * s0 + bx * s1) * d, (ay * s0 + by * s1) * d, (az * s0 + bz * s1) * d, (aw * s0 + bw * s1) * d


def rotated(qx: float, qy: float, qz: float, qw: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """The vector (x, y, z) turned by a unit quaternion: q v q*."""
    a = qw * x + qy * z - qz * y
    b = qw * y + qz * x - qx * z
    c = qw * z + qx * y - qy * x
    d = -qx * x - qy * y - qz * z
    return (
        d * -qx + a * qw + b * -qz - c * -qy,
        d * -qy + b * qw + c * -qx - a * -qz,
        d * -qz + c * qw + a * -qy - b * -qx,
    )


def chained(samples: Sequence[Sample]) -> Pose:
    """The edges of a way up one after the other, each (parent, translation, rotation), as one."""
    if not samples:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0
    _, x, y, z, rx, ry, rz, rw = samples[0]
    for _, tx, ty, tz, qx, qy, qz, qw in samples[1:]:
        a = qw * x + qy * z - qz * y
        b = qw * y + qz * x - qx * z
        c = qw * z + qx * y - qy * x
        d = -qx * x - qy * y - qz * z
        x = (d * -qx + a * qw + b * -qz - c * -qy) + tx
        y = (d * -qy + b * qw + c * -qx - a * -qz) + ty
        z = (d * -qz + c * qw + a * -qy - b * -qx) + tz
        rx, ry, rz, rw = (
            qw * rx + qx * rw + qy * rz - qz * ry,
            qw * ry + qy * rw + qz * rx - qx * rz,
            qw * rz + qz * rw + qx * ry - qy * rx,
            qw * rw - qx * rx - qy * ry - qz * rz,
        )
    return x, y, z, rx, ry, rz, rw


def joined(up: Sequence[Sample], down: Sequence[Sample]) -> Pose:
    """The edges of a way up to where another one meets it, and back down that one, as one.

    Translations of the first edge may be arrays, of as many ways at once.
    """
    if not down:
        return chained(up)
    x, y, z, qx, qy, qz, qw = chained(down)
    qx = -qx
    qy = -qy
    qz = -qz
    x, y, z = rotated(qx, qy, qz, qw, -x, -y, -z)
    if not up:
        return x, y, z, qx, qy, qz, qw
    sx, sy, sz, rx, ry, rz, rw = chained(up)
    sx, sy, sz = rotated(qx, qy, qz, qw, sx, sy, sz)
    return (
        sx + x,
        sy + y,
        sz + z,
        qw * rx + qx * rw + qy * rz - qz * ry,
        qw * ry + qy * rw + qz * rx - qx * rz,
        qw * rz + qz * rw + qx * ry - qy * rx,
        qw * rw - qx * rx - qy * ry - qz * rz,
    )


def followed_by(
    first: tuple[float, float, float],
    first_rotation: Sequence[float],
    second: tuple[float, float, float],
    second_rotation: Sequence[float],
) -> Pose:
    """The second transform after the first, by way of matrices; each is a translation and a quaternion."""
    x, y, z = first
    ox, oy, oz = second
    a = to_matrix(*second_rotation)
    b = to_matrix(*first_rotation)
    product = (
        b[0] * a[0] + b[3] * a[1] + b[6] * a[2],
        b[1] * a[0] + b[4] * a[1] + b[7] * a[2],
        b[2] * a[0] + b[5] * a[1] + b[8] * a[2],
        b[0] * a[3] + b[3] * a[4] + b[6] * a[5],
        b[1] * a[3] + b[4] * a[4] + b[7] * a[5],
        b[2] * a[3] + b[5] * a[4] + b[8] * a[5],
        b[0] * a[6] + b[3] * a[7] + b[6] * a[8],
        b[1] * a[6] + b[4] * a[7] + b[7] * a[8],
        b[2] * a[6] + b[5] * a[7] + b[8] * a[8],
    )
    return (
        a[0] * x + a[1] * y + a[2] * z + ox,
        a[3] * x + a[4] * y + a[5] * z + oy,
        a[6] * x + a[7] * y + a[8] * z + oz,
        *(from_matrix(product) or (0.0, 0.0, 0.0, 1.0)),
    )
