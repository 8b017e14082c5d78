"""What the CPU rasteriser does to Gaussians and pixels; compiled, one thread a call.

A Gaussian that is seen gets a record of 16 float32, one cache line, which the stages after the projection read:

    0 u   1 v   2 a   3 b   4 c   5 reach   6 red   7 green   8 blue   9 depth   10 first row   11 last row

(u, v) is the projected centre in pixels; [[a, b], [b, c]] the inverse of the projected covariance. At (u + x, v + y)
alpha is `opacity exp(-sigma)`, `sigma = (a x^2 + 2 b x y + c y^2) / 2`; it is at least FAINTEST, and drawn, where
`sigma <= reach = log(opacity / FAINTEST)`. There `alpha = exp(-(sigma + FAINTEST_AT - reach))`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.render.compiled import compiled
from hearing_hands_ros.scene.render.model import BLUR, FAINTEST, OPAQUE, SPENT
from hearing_hands_ros.scene.splats import C0

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Boxes = NDArray[np.int16]
Counts = NDArray[np.int64]
Entries = NDArray[np.uint64]

TILE_BITS = 4
TILE = 1 << TILE_BITS
RECORD = 16
CAMERA = 25
BLOCK = 16  # Gaussians after which a tile looks whether anything can still be seen through it
FAINTEST_AT = -math.log(FAINTEST)
ROW = np.uint64(5 * TILE)  # a row of pixels in a tile: transmittance, red, green, blue, depth, 16 of each

_OPAQUE, _SPENT, _ZERO, _ONE = np.float32(OPAQUE), np.float32(SPENT), np.float32(0.0), np.float32(1.0)
_LIMIT = np.float32(FAINTEST_AT / 8.0)
# exp(-x) on [0, 0.7], Chebyshev interpolation; its eighth power is exp(-8x) to a relative 1e-6.
_NODES = 0.35 + 0.35 * np.polynomial.chebyshev.chebpts1(6)
_FIT = np.polynomial.Chebyshev.fit(_NODES, np.exp(-_NODES), 5, domain=[0.0, 0.7])
_E0, _E1, _E2, _E3, _E4, _E5 = (np.float32(c) for c in _FIT.convert(kind=np.polynomial.Polynomial).coef)
_RED, _GREEN, _BLUE, _DEPTH = (np.uint64(i * TILE) for i in range(1, 5))
_LANES = np.uint64(TILE)


@compiled()
def covariances(first: int, last: int, quats: Floats, scales: Floats, out: Floats) -> None:
    """Write xx, xy, xz, yy, yz, zz of Gaussians first..last into out (N, 6); quats need not be of length 1."""
    for n in range(first, last):
        w, x, y, z = np.float64(quats[n, 0]), np.float64(quats[n, 1]), np.float64(quats[n, 2]), np.float64(quats[n, 3])
        s = 2.0 / (w * w + x * x + y * y + z * z)
        r00, r01, r02 = 1.0 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)
        r10, r11, r12 = s * (x * y + w * z), 1.0 - s * (x * x + z * z), s * (y * z - w * x)
        r20, r21, r22 = s * (x * z - w * y), s * (y * z + w * x), 1.0 - s * (x * x + y * y)
        p, q, t = np.float64(scales[n, 0]) ** 2, np.float64(scales[n, 1]) ** 2, np.float64(scales[n, 2]) ** 2
        out[n, 0] = r00 * r00 * p + r01 * r01 * q + r02 * r02 * t
        out[n, 1] = r00 * r10 * p + r01 * r11 * q + r02 * r12 * t
        out[n, 2] = r00 * r20 * p + r01 * r21 * q + r02 * r22 * t
        out[n, 3] = r10 * r10 * p + r11 * r11 * q + r12 * r12 * t
        out[n, 4] = r10 * r20 * p + r11 * r21 * q + r12 * r22 * t
        out[n, 5] = r20 * r20 * p + r21 * r21 * q + r22 * r22 * t


@compiled()
def harmonics(x: float, y: float, z: float, count: int, out: Doubles) -> None:
    """Write real spherical harmonics 1 to `count` (4, 9, 16) in the direction (x, y, z) into out (16,); 0 is C0."""
    out[1] = -0.4886025119029199 * y
    out[2] = 0.4886025119029199 * z
    out[3] = -0.4886025119029199 * x
    if count > 4:
        out[4] = 1.0925484305920792 * x * y
        out[5] = -1.0925484305920792 * y * z
        out[6] = 0.31539156525252005 * (3.0 * z * z - 1.0)
        out[7] = -1.0925484305920792 * x * z
        out[8] = 0.5462742152960396 * (x * x - y * y)
    if count > 9:
        out[9] = -0.5900435899266435 * y * (3.0 * x * x - y * y)
        out[10] = 2.890611442640554 * x * y * z
        out[11] = -0.4570457994644658 * y * (5.0 * z * z - 1.0)
        out[12] = 0.3731763325901154 * z * (5.0 * z * z - 3.0)
        out[13] = -0.4570457994644658 * x * (5.0 * z * z - 1.0)
        out[14] = 1.445305721320277 * z * (x * x - y * y)
        out[15] = -0.5900435899266435 * x * (x * x - 3.0 * y * y)


@compiled()
def span(record: Floats, box: Boxes, row: int) -> tuple[int, int]:
    """First and last tile column of its box that the Gaussian meets in a row of tiles; of small ones all of the box."""
    first, last = int(box[0]), int(box[1])
    if last - first < 2 or box[2] == box[3]:
        return first, last
    u, v = np.float64(record[0]), np.float64(record[1])
    a, b, c, reach = np.float64(record[2]), np.float64(record[3]), np.float64(record[4]), np.float64(record[5])
    det = a * c - b * b
    # The ellipse's rightmost point lies at height `lean`, its leftmost at `-lean`; in a strip that ends before them,
    # where the strip's edge cuts the ellipse.
    low, high = row * TILE + 0.49 - v, row * TILE + TILE - 0.49 - v
    lean = -b * math.sqrt(2.0 * reach / (c * det))
    y_right, y_left = min(max(lean, low), high), min(max(-lean, low), high)
    right = (-b * y_right + math.sqrt(max(2.0 * reach * a - det * y_right * y_right, 0.0))) / a
    left = (-b * y_left - math.sqrt(max(2.0 * reach * a - det * y_left * y_left, 0.0))) / a
    first = max(first, math.floor((u + left - 0.51) / TILE))
    last = min(last, math.floor((u + right - 0.49) / TILE))
    return first, last


@compiled(fastmath={"contract"})
def project(
    first: int,
    last: int,
    means: Floats,
    covs: Floats,
    reaches: Floats,
    sh: Floats,
    camera: Doubles,
    records: Floats,
    boxes: Boxes,
    counts: Counts,
    slot: int,
) -> int:
    """Write the records of those of Gaussians first..last that are seen, from `slot` on.

    Args:
        first: Of the Gaussians.
        last: Exclusive.
        means: (N, 3) float32.
        covs: (N, 6) float32, of `covariances`.
        reaches: (N,) float32, log(opacity / FAINTEST); those below 0 are left out.
        sh: (N, 1 | 4 | 9 | 16, 3) float32.
        camera: (CAMERA,) float64, of `numba_rasterizer.pack`.
        records: (M, RECORD) float32, written.
        boxes: (M, 4) int16, written: first and last column, first and last row of the tiles that it may meet.
        counts: (tiles,) int64, raised by one for each tile that a Gaussian meets.
        slot: Where to begin.

    Returns:
        The slot after the last one that was written.
    """
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = camera[0:9]
    t0, t1, t2, eye0, eye1, eye2 = camera[9:15]
    fx, fy, cx, cy, width, height, near, far, slope_x, slope_y = camera[15:25]
    left, right = cx / fx + slope_x, (width - cx) / fx + slope_x
    top, bottom = cy / fy + slope_y, (height - cy) / fy + slope_y
    columns = -(-int(width) // TILE)
    basis = np.empty(16, np.float64)
    basis[0] = C0
    count = sh.shape[1]
    for n in range(first, last):
        x, y, z = np.float64(means[n, 0]), np.float64(means[n, 1]), np.float64(means[n, 2])
        depth = r20 * x + r21 * y + r22 * z + t2
        reach = np.float64(reaches[n])
        if not (near <= depth <= far and reach >= 0.0):
            continue
        inverse = 1.0 / depth
        tan_x = (r00 * x + r01 * y + r02 * z + t0) * inverse
        tan_y = (r10 * x + r11 * y + r12 * z + t1) * inverse
        u, v = fx * tan_x + cx, fy * tan_y + cy
        tan_x, tan_y = min(max(tan_x, -left), right), min(max(tan_y, -top), bottom)
        # The two rows of the Jacobian times the rotation: how the image moves with the world.
        gx, gy = fx * inverse, fy * inverse
        i0, i1, i2 = gx * (r00 - tan_x * r20), gx * (r01 - tan_x * r21), gx * (r02 - tan_x * r22)
        j0, j1, j2 = gy * (r10 - tan_y * r20), gy * (r11 - tan_y * r21), gy * (r12 - tan_y * r22)
        xx, xy, xz = np.float64(covs[n, 0]), np.float64(covs[n, 1]), np.float64(covs[n, 2])
        yy, yz, zz = np.float64(covs[n, 3]), np.float64(covs[n, 4]), np.float64(covs[n, 5])
        p0, p1, p2 = xx * i0 + xy * i1 + xz * i2, xy * i0 + yy * i1 + yz * i2, xz * i0 + yz * i1 + zz * i2
        cov_xx = i0 * p0 + i1 * p1 + i2 * p2 + BLUR
        cov_xy = j0 * p0 + j1 * p1 + j2 * p2
        q0, q1, q2 = xx * j0 + xy * j1 + xz * j2, xy * j0 + yy * j1 + yz * j2, xz * j0 + yz * j1 + zz * j2
        cov_yy = j0 * q0 + j1 * q1 + j2 * q2 + BLUR
        det = cov_xx * cov_yy - cov_xy * cov_xy
        if not 0.0 < det < np.inf:
            continue
        half_x, half_y = math.sqrt(2.0 * reach * cov_xx), math.sqrt(2.0 * reach * cov_yy)
        # Columns and rows whose middles lie in the ellipse's box, a hair wider: rounding must not cut it.
        column0, column1 = max(math.ceil(u - half_x - 0.501), 0.0), min(math.floor(u + half_x - 0.499), width - 1.0)
        row0, row1 = max(math.ceil(v - half_y - 0.501), 0.0), min(math.floor(v + half_y - 0.499), height - 1.0)
        if not (column0 <= column1 and row0 <= row1):
            continue
        if count > 1:
            dx, dy, dz = x - eye0, y - eye1, z - eye2
            nearness = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
            harmonics(dx * nearness, dy * nearness, dz * nearness, count, basis)
        red = green = blue = 0.5
        for k in range(count):
            red += basis[k] * sh[n, k, 0]
            green += basis[k] * sh[n, k, 1]
            blue += basis[k] * sh[n, k, 2]
        record = records[slot]
        per_det = 1.0 / det
        record[0], record[1] = u, v
        record[2], record[3], record[4], record[5] = cov_yy * per_det, -cov_xy * per_det, cov_xx * per_det, reach
        record[6], record[7], record[8] = max(red, 0.0), max(green, 0.0), max(blue, 0.0)
        record[9], record[10], record[11] = depth, row0, row1
        box = boxes[slot]
        box[0], box[1] = int(column0) >> TILE_BITS, int(column1) >> TILE_BITS
        box[2], box[3] = int(row0) >> TILE_BITS, int(row1) >> TILE_BITS
        for row in range(box[2], box[3] + 1):
            begin, end = span(record, box, row)
            for column in range(begin, end + 1):
                counts[row * columns + column] += 1
        slot += 1
    return slot


@compiled()
def fill_tiles(
    first: int, last: int, records: Floats, boxes: Boxes, columns: int, cursor: Counts, entries: Entries
) -> None:
    """Put the Gaussians of slots first..last into the lists of the tiles that they meet.

    Args:
        first: Slot.
        last: Exclusive.
        records: (M, RECORD).
        boxes: (M, 4).
        columns: Of tiles.
        cursor: (tiles,) int64, where to write for each tile; advanced.
        entries: (L,) uint64, written: the bits of the depth, which sort as the depth does, above the slot.
    """
    for slot in range(first, last):
        record, box = records[slot], boxes[slot]
        entry = (np.uint64(np.float32(record[9]).view(np.uint32)) << np.uint64(32)) | np.uint64(slot)
        for row in range(box[2], box[3] + 1):
            begin, end = span(record, box, row)
            for tile in range(row * columns + begin, row * columns + end + 1):
                at = cursor[tile]
                entries[at] = entry
                cursor[tile] = at + 1


@compiled()
def sort_by_depth(entries: Entries, spare: Entries, counts: Counts) -> bool:
    """Sort a tile's entries, nearest first, equal ones as they came: by bytes of the depth, the least first.

    Args:
        entries: (L,) of `fill_tiles`.
        spare: (L,) scratch.
        counts: (256,) scratch.

    Returns:
        Whether the result is in `spare` instead of in `entries`.
    """
    low, high = np.uint64(0xFFFFFFFF), np.uint64(0)
    for entry in entries:
        low, high = min(low, entry >> np.uint64(32)), max(high, entry >> np.uint64(32))
    source, target = entries, spare
    swapped = False
    shift = np.uint64(0)
    while low < high and (high - low) >> shift > np.uint64(0):
        counts[:] = 0
        for entry in source:
            counts[(((entry >> np.uint64(32)) - low) >> shift) & np.uint64(255)] += 1
        begin = 0
        for digit in range(256):
            here = counts[digit]
            counts[digit] = begin
            begin += here
        for entry in source:
            digit = (((entry >> np.uint64(32)) - low) >> shift) & np.uint64(255)
            at = counts[digit]
            target[at] = entry
            counts[digit] = at + 1
        source, target = target, source
        swapped = not swapped
        shift += np.uint64(8)
    return swapped


@compiled(fastmath=True)
def draw_tiles(
    first: int,
    step: int,
    offsets: Counts,
    entries: Entries,
    spare: Entries,
    records: Floats,
    columns: int,
    background: Floats,
    rgb: Floats,
    depth: Floats,
    alpha: Floats,
) -> None:
    """Blend the Gaussians of tiles first, first + step, ... from near to far.

    Args:
        first: Tile.
        step: To the next.
        offsets: (tiles + 1,) where each tile's entries begin.
        entries: (L,) of `fill_tiles`; sorted.
        spare: (L,) scratch.
        records: (M, RECORD).
        columns: Of tiles.
        background: (3,) float32.
        rgb: (H, W, 3) float32, written.
        depth: (H, W) float32, written.
        alpha: (H, W) float32, written.
    """
    height, width = alpha.shape
    pixels = np.empty(ROW * _LANES, np.float32)
    block = np.empty((BLOCK, RECORD), np.float32)
    alive = np.empty(TILE, np.bool_)
    counts = np.empty(256, np.int64)
    for tile in range(first, len(offsets) - 1, step):
        top, left = (tile // columns) * TILE, (tile % columns) * TILE
        rows = min(TILE, height - top)
        pixels[:] = _ZERO
        for row in range(rows):
            alive[row] = True
            at = np.uint64(row) * ROW
            for x in range(_LANES):
                pixels[at + x] = _ONE
        listed, other = entries[offsets[tile] : offsets[tile + 1]], spare[offsets[tile] : offsets[tile + 1]]
        if sort_by_depth(listed, other, counts):
            listed = other
        for begin in range(0, len(listed), BLOCK):
            count = min(BLOCK, len(listed) - begin)
            for i in range(count):  # all at once: that way the processor waits for them together
                record = records[listed[begin + i] & np.uint64(0xFFFFFFFF)]
                for field in range(RECORD):
                    block[i, field] = record[field]
            for i in range(count):
                record = block[i]
                red, green, blue, far = record[6], record[7], record[8], record[9]
                a, b, c = 0.125 * np.float64(record[2]), 0.125 * np.float64(record[3]), 0.125 * np.float64(record[4])
                x0, y0 = left + 0.5 - np.float64(record[0]), top + 0.5 - np.float64(record[1])
                across = 0.5 * a * x0 * x0 + 0.125 * (FAINTEST_AT - np.float64(record[5]))
                k2 = np.float32(0.5 * a)
                for row in range(max(int(record[10]) - top, 0), min(int(record[11]) - top + 1, rows)):
                    if not alive[row]:
                        continue
                    # An eighth of the exponent along a row: k0 + k1 x + k2 x^2, x in pixels from the tile's left. Its
                    # terms are made in float64, for those of a large Gaussian cancel.
                    y = y0 + row
                    k0 = np.float32(min(across + y * (b * x0 + 0.5 * c * y), 1e30))
                    k1 = np.float32(a * x0 + b * y)
                    at = np.uint64(row) * ROW
                    for x in range(_LANES):
                        pixel = at + x
                        e = k0 + np.float32(x) * (k1 + np.float32(x) * k2)
                        strength = _E0 + e * (_E1 + e * (_E2 + e * (_E3 + e * (_E4 + e * _E5))))
                        strength *= strength
                        strength *= strength
                        strength = min(strength * strength, _OPAQUE)
                        strength = strength if e <= _LIMIT else _ZERO
                        light = pixels[pixel]  # negative: spent, and this was left
                        through = max(light, _ZERO)
                        weight = through * strength
                        beyond = through - weight
                        weight = weight if beyond > _SPENT else _ZERO
                        pixels[pixel] = beyond if beyond > _SPENT else -abs(light)
                        pixels[pixel + _RED] += weight * red
                        pixels[pixel + _GREEN] += weight * green
                        pixels[pixel + _BLUE] += weight * blue
                        pixels[pixel + _DEPTH] += weight * far
            seen_through = False
            for row in range(rows):
                at = np.uint64(row) * ROW
                light = _ZERO
                for x in range(_LANES):
                    light += max(pixels[at + x], _ZERO)
                alive[row] = light > _ZERO
                seen_through = seen_through or alive[row]
            if not seen_through:
                break
        for row in range(rows):
            for column in range(min(TILE, width - left)):
                pixel = np.uint64(row) * ROW + np.uint64(column)
                i, j = top + row, left + column
                rest = abs(pixels[pixel])
                covered = _ONE - rest
                alpha[i, j] = covered
                rgb[i, j, 0] = pixels[pixel + _RED] + rest * background[0]
                rgb[i, j, 1] = pixels[pixel + _GREEN] + rest * background[1]
                rgb[i, j, 2] = pixels[pixel + _BLUE] + rest * background[2]
                depth[i, j] = pixels[pixel + _DEPTH] / max(covered, np.float32(1e-10))
