"""Files that registrations are made of."""

import io
import zlib

import numpy as np
import pytest
import yaml
from PIL import Image

from hearing_hands_ros.scene.registration.cloud_file import read_cloud
from hearing_hands_ros.scene.registration.image_folder import read_image_folder

CAMERA = {"width": 40, "height": 30, "fx": 35.0, "fy": 35.0, "cx": 20.0, "cy": 15.0}
POINTS = np.random.default_rng(0).normal(size=(20, 3))


def poses(folder, images, camera=CAMERA):
    for name in ("a.png", "b.jpg"):
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / name)
    (folder / "c.png").write_bytes(b"not an image")
    (folder / "poses.yaml").write_text(yaml.safe_dump({"camera": camera, "images": images}))


def entry(name, **changes):
    return {"file": name, "position_m": [1.0, 2.0, 3.0], "rotation_wxyz": [1.0, 0.0, 0.0, 0.0], **changes}


def test_a_folder_of_images_with_poses(tmp_path):
    distorted = {**CAMERA, "distortion": [0.1, 0.0, 0.0, 0.0, 0.0]}
    images = [entry("a.png"), entry("b.jpg", camera=distorted), entry("c.png"), entry("d.png")]
    images.append(entry("e.png", position_m=None))
    poses(tmp_path, images)
    taken, left_out = read_image_folder(tmp_path)
    assert [o.name for o in taken] == ["a.png", "b.jpg"]
    assert taken[0].image.shape == (30, 40, 3)
    assert taken[1].lens.model == "plumb_bob"
    np.testing.assert_array_equal(taken[0].parent_from_camera.translation, [1, 2, 3])
    assert set(left_out) == {"c.png", "d.png", "e.png"}
    assert left_out["e.png"] == "no pose in poses.yaml"


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def test_images_that_are_damaged_or_would_fill_the_memory_are_left_out(tmp_path):
    names = ("a.png", "broken.png", "huge.png", "cut.png", "large.png", "program.png", "depth.png")
    poses(tmp_path, [entry(name) for name in names])
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "broken.png").write_bytes(whole.replace(b"IDAT", b"ID\0T"))
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    size = (30_000).to_bytes(4, "big")
    header = chunk(b"IHDR", size + size + bytes([8, 2, 0, 0, 0]))
    (tmp_path / "huge.png").write_bytes(whole[:8] + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    Image.new("1", (8001, 8000)).save(tmp_path / "large.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "program.png", "EPS")  # PostScript, which would be run to be seen
    Image.fromarray(np.full((6, 8), 40_000, np.uint16)).save(tmp_path / "depth.png")  # Pillow would make it white
    taken, left_out = read_image_folder(tmp_path)
    assert [o.name for o in taken] == ["a.png"]
    assert set(left_out) == set(names[1:])
    assert "wanted 8 bits a channel, got Pillow's mode 'I;16'" in left_out["depth.png"]
    assert "wanted at most 64000000 pixels, got 8001 x 8000" in left_out["large.png"]
    assert "cannot identify" in left_out["program.png"]
    assert all(why.startswith("cannot be read: ") for why in left_out.values())


@pytest.mark.parametrize(
    ("images", "camera", "fault"),
    [
        ([entry("a.png", rotation_wxyz=[2.0, 0, 0, 0])], CAMERA, "a.png: wanted a pose"),
        ([entry("a.png")], {"width": 4}, "wanted a camera with width, height"),
        ([entry("a.png")], {**CAMERA, "fx": "wide"}, "wanted a camera"),
        ([["a.png"]], CAMERA, r"images\[0\]: wanted"),
        ("a.png", CAMERA, "a list 'images'"),
    ],
)
def test_damaged_poses_are_refused(tmp_path, images, camera, fault):
    poses(tmp_path, images, camera)
    with pytest.raises(ValueError, match=fault):
        read_image_folder(tmp_path)


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_clouds_are_read(tmp_path, order):
    header = f"ply\nformat {order} 1.0\ncomment x\nelement vertex 20\nproperty uchar red\n"
    header += "property float x\nproperty double y\nproperty float z\n"
    header += "element face 0\nproperty list uchar int vertex_indices\n"
    if order == "ascii":
        body = "".join(f"7 {x} {y} {z}\n" for x, y, z in POINTS).encode()
    else:
        sign = "<" if "little" in order else ">"
        rows = np.zeros(20, [("red", "u1"), ("x", sign + "f4"), ("y", sign + "f8"), ("z", sign + "f4")])
        rows["x"], rows["y"], rows["z"] = POINTS.T
        body = rows.tobytes()
    path = tmp_path / "a.ply"
    path.write_bytes(f"{header}end_header\n".encode() + body)
    np.testing.assert_allclose(read_cloud(path), POINTS, atol=1e-6)
    path.write_bytes(f"{header}end_header\n".encode() + body[: len(body) // 2])
    with pytest.raises(ValueError, match=r"a.ply': wanted"):
        read_cloud(path)


def test_arrays_are_read_and_others_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.hstack([POINTS, POINTS]))
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.npy"), POINTS)
    np.save(tmp_path / "b.npy", POINTS[:, :2])
    np.save(tmp_path / "c.npy", np.array([{}], dtype=object))
    (tmp_path / "d.ply").write_text("ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nend_header\n1\n2\n")
    (tmp_path / "e.ply").write_text("solid")
    (tmp_path / "f.xyz").write_text("1 2 3")
    for name in ("b.npy", "c.npy", "d.ply", "e.ply", "f.xyz"):
        with pytest.raises(ValueError, match=name):
            read_cloud(tmp_path / name)


def npy(header):
    text = header.encode("latin1").ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_arrays_whose_header_lies_are_refused(tmp_path):
    zipped = io.BytesIO()
    np.savez(zipped, points=POINTS)
    files = {
        "more.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (30000000000, 3)}") + bytes(240),
        "most.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999999999999, 3)}") + bytes(240),
        "broken.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 3") + bytes(240),
        "odd.npy": npy("{'descr': ['<f8', {}], 'fortran_order': False, 'shape': (10, 3)}") + bytes(240),
        "zipped.npy": zipped.getvalue(),
        "empty.npy": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}': wanted a .npy file, got one that cannot be read"):
            read_cloud(tmp_path / name)
