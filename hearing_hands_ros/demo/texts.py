# ruff: noqa: E501  (a row of a table is one line)
"""The texts that go beside the demo's files."""

README = """# The demo's world

| file | what it is | simulated or recorded |
|---|---|---|
| `scene/` | a workbench as {gaussians} Gaussian splats with material labels; {patches} of its things are touched | simulated: shapes, colours and splats are computed, nothing was photographed |
| `touches.mcap` | {seconds} s of one tracked right hand (`/tf`, `/tf_static`) and of a microphone (`/microphone/audio`) | motion: simulated, with 0.5 mm of tracker noise; sound: see below |
| `heard.flac` | the same sound as in the bag | recorded impacts, laid on the simulated touches, and simulated room noise |
| `truth.yaml` | every touch, near miss and planted anomaly | – |
| `calibration.yaml` | scores of normal touches that the demo's comparator judges by (`docs/armed.md` makes such a file) | motion: simulated; sounds: recorded |
| `params.yaml` | how late the demo's microphone is, for the comparator | – |
| `gripper.urdf` | a parallel gripper of boxes, for `hearing-hands scene look` | made up |
| `bank/` | recordings that the generator and the comparator's listener learnt from | recorded |
| `held_out/` | recordings that neither knows; only these are heard in the demo | recorded |

Every sound of a touch is a real recording of something else (arrows, shields, hammers, feet, picks on that material), not
of a finger. {recordings} held-out recordings, each heard once, are laid on {sounding} of the {touches} touches and on {extra} moments without one, with a
gain that follows the speed of the approach, a few milliseconds of jitter, and room noise 30 dB under the median touch.
Planted: {wrong} touches that sound like another material, {missing} that make no sound, {extra} sounds without a touch. {near} near misses come within 15 to 25 mm
and make no sound.

Frames: `world` -> `tracking_camera` (static) -> `hand_right/kp_00` to `kp_20`; the scene hangs under `world` as
`bench_scene`, see `scene/scene.yaml`. The sound of a touch is stamped 12 ms after it (`microphone_lag_s`).

`truth.yaml` gives times in seconds since the bag's start and in nanoseconds, positions and normals in `bench_scene`,
`anomaly` one of `none`, `wrong_material`, `missing_sound`, `extra_sound`.

All of it but the recordings, the gripper, `params.yaml` and `calibration.yaml` is made by

    python -m hearing_hands_ros.demo.build demo

and the calibration by

    python -m hearing_hands_ros.demo.normal out/normal
    hearing-hands calibrate normal out/normal/*.mcap --scene demo/scene --model models/compact --params-file demo/params.yaml \\
      --alpha 0.05 --out out/demo.yaml

which writes it as `out/demo_normal.yaml`.

Licences: `LICENSE.md`.
"""

LICENSE = """# Licences of the demo's files

The recordings in `bank/` and `held_out/` are taken unchanged from the Debian package `0ad-data` 0.0.26 (audio of the game
0 A.D.), file names lower-cased and sorted by material. Copyright Wildfire Games, https://www.wildfiregames.com/.
Licence: Creative Commons Attribution-ShareAlike 3.0, https://creativecommons.org/licenses/by-sa/3.0/.

`heard.flac` and the sound in `touches.mcap` are mixed from recordings of `held_out/` (resampled to 22 050 Hz, trimmed,
faded, scaled, noise added; `truth.yaml` names each one) and are therefore under the same licence, CC BY-SA 3.0, with the
same attribution. Whoever distributes them keeps this notice with them.

`scene/`, `truth.yaml` and the motion in `touches.mcap` hold no recordings; they are computed by this package and are under
its licence, Apache-2.0.
"""
