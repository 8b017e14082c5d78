from __future__ import annotations

import numpy as np
import pytest
from motorcycle import motorcycle

from hearing_hands_ros.demo import room, room_textures
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.render import SplatRenderer

GAUSSIANS = 40_000


@pytest.fixture(scope="module")
def scene() -> SceneBundle:
    return room.room_bundle(GAUSSIANS)


def in_room(scene: SceneBundle) -> np.ndarray:
    return room.SPLAT_FROM_ROOM.inverse().apply(scene.splats.means)


def test_it_has_about_as_many_gaussians_as_asked_for(scene: SceneBundle) -> None:
    assert len(scene.splats) == pytest.approx(GAUSSIANS, rel=0.05)


def test_every_gaussian_lies_on_the_exact_surface_and_faces_out_of_it(scene: SceneBundle) -> None:
    points = in_room(scene)
    assert np.abs(room.distance(points)).max() < 1e-5
    thin = np.argmin(scene.splats.scales, axis=1)
    assert set(thin.tolist()) == {2}


def test_labels_tell_what_a_thing_is_made_of(scene: SceneBundle) -> None:
    points = in_room(scene)
    for shape in room.SHAPES:
        on = np.abs(shape.distance(points)) < 1e-4
        others = np.min([o.distance(points) for o in room.SHAPES if o is not shape], axis=0)
        labels = scene.labels[on & (others > 0.002)]
        assert {room.MATERIALS[label] for label in labels} == {shape.material}, shape.name


def test_its_registration_brings_it_into_metres_before_the_robot(scene: SceneBundle) -> None:
    metres = scene.registered.parent_from_splat.apply(scene.splats.means)
    assert np.abs(metres - room.ROBOT_FROM_ROOM.apply(in_room(scene))).max() < 1e-5
    up = scene.registered.parent_from_splat.rotation.apply(scene.up)
    assert up == pytest.approx([0.0, 0.0, 1.0], abs=1e-9)


def test_saved_and_loaded_it_is_the_same_room(scene: SceneBundle, tmp_path) -> None:
    scene.save(tmp_path / "room", splats_file="scene.ply")
    loaded = SceneBundle.load(tmp_path / "room")
    assert np.allclose(loaded.splats.means, scene.splats.means)
    assert loaded.material_names == room.MATERIALS
    assert (loaded.labels == scene.labels).all()
    assert len(loaded.cameras) == len(scene.cameras)


def test_the_same_seed_gives_the_same_room(scene: SceneBundle) -> None:
    again = room.room_bundle(GAUSSIANS)
    assert (again.splats.means == scene.splats.means).all()
    assert (again.splats.sh == scene.splats.sh).all()


def test_photos_show_the_room_where_it_is(scene: SceneBundle) -> None:
    cameras = room.photo_cameras(6)[::3]
    rendered = SplatRenderer(scene.splats).render(cameras)
    for camera, depth, alpha in zip(cameras, rendered.depth, rendered.alpha, strict=True):
        v, u = np.mgrid[20:460:40, 20:620:40]
        z = depth[v, u]
        seen = alpha[v, u] > 0.9
        rays = np.stack(
            [(u + 0.5 - camera.cx) / camera.fx, (v + 0.5 - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1
        )
        points = camera.rotation.apply((rays * z[..., None])[seen]) + camera.position
        off = np.abs(room.distance(room.SPLAT_FROM_ROOM.inverse().apply(points)))
        assert seen.mean() > 0.8
        assert np.median(off) < 0.012  # half of what lies between two Gaussians


def test_robot_cameras_stand_in_free_space_and_look_at_the_table() -> None:
    for camera in room.robot_cameras():
        in_room_frame = camera.moved(room.ROBOT_FROM_ROOM.inverse())
        assert room.distance(in_room_frame.position[None])[0] > 0.1
        to_table = room.LOOK_AT - in_room_frame.position
        assert in_room_frame.forward @ to_table / np.linalg.norm(to_table) > 0.9


def test_an_unknown_texture_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="velvet"):
        room_textures.texture("velvet")


def test_too_few_gaussians_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1000 Gaussians, got 10"):
        room.room_bundle(10)


def test_the_motorcycle_looks_like_its_photos_from_both_cameras() -> None:
    scene = motorcycle(200_000)
    assert len(scene.splats) == pytest.approx(200_000, rel=0.02)
    rendered = SplatRenderer(scene.splats).render([scene.left, scene.right])
    for picture, alpha, photo in zip(rendered.rgb, rendered.alpha, (scene.left_photo, scene.right_photo), strict=True):
        covered = alpha > 0.9  # the right camera sees what the left one did not
        off = np.abs(255.0 * picture - photo)[covered].mean()
        blank = np.abs(photo[covered].astype(float) - photo[covered].mean(axis=0)).mean()
        assert covered.mean() > 0.8
        assert off < 0.3 * blank
    error = np.abs(rendered.depth[0] - scene.depth_m)
    assert np.nanmedian(error) < 0.01
