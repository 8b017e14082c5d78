"""Files and folders that are there whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hearing_hands_ros.whole_file import whole_file, whole_folder, write_text

ROOT = Path(__file__).parents[1]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_cannot_be_finished_stays_as_it_was(tmp_path):
    path = tmp_path / "scores.yaml"
    write_text(path, "old")

    def half():
        with whole_file(path) as draft:
            draft.write_text("half of the n")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        half()
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["scores.yaml"]


KILLED = """
import os, signal, sys
from pathlib import Path
from hearing_hands_ros.whole_file import whole_file, whole_folder
with whole_file(Path("file")) as draft, whole_folder(Path("folder")) as beside:
    draft.write_text("half")
    (beside / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_kill_nothing_half_done_has_the_name_and_the_next_one_is_whole(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert names_in(tmp_path) == ["file.part", "folder.part"]
    write_text(tmp_path / "file", "whole")
    with whole_folder(tmp_path / "folder") as draft:
        assert not list(draft.iterdir())
        (draft / "b").write_text("whole")
    assert names_in(tmp_path) == ["file", "folder"]
    assert names_in(tmp_path / "folder") == ["b"]
