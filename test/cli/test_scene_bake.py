"""`hearing-hands scene bake` as a user runs it, on the demo's scene in very large cells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo" / "scene"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def bake(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "scene", "bake", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_it_bakes_beside_the_scene_and_says_how_good_that_is(tmp_path: Path) -> None:
    scene = shutil.copytree(DEMO, tmp_path / "scene", ignore=shutil.ignore_patterns("features"))
    done = bake(str(scene), "--cell-m", "0.3", "--touches", "8")
    assert done.returncode == 0, done.stderr
    assert (scene / "features" / "efficientnet_lite0_texture_300mm.npz").is_file()
    for text in ("cells in", "look-up:", "simulated touches", "with the hand", "lead to the same one of"):
        assert text in " ".join(done.stdout.split())


def test_what_cannot_be_kept_is_not_baked(tmp_path: Path) -> None:
    scene = shutil.copytree(DEMO, tmp_path / "scene", ignore=shutil.ignore_patterns("features"))
    (scene / "features").write_text("a file where a folder should be")
    done = bake(str(scene))
    assert done.returncode == 2
    assert "features" in done.stderr
    assert "Traceback" not in done.stderr
