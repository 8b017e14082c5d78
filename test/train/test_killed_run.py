"""A run that is killed loses nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from run_states import assert_same_state
from small_runs import SMALL

from hearing_hands_ros.train.state import load_state

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "import sys; from hearing_hands_ros.cli.main import main; sys.exit(main())", "train")


def test_a_run_that_is_killed_and_goes_on_ends_with_the_same_numbers(tmp_path, dataset, train):
    whole = train(tmp_path / "whole")
    words = [*SMALL, f"data.folder={dataset}", f"run.out={tmp_path / 'cut'}", "run.save_every_s=0", "run.steps=20"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*COMMAND, "compact", *words], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as run:
        lines = []
        for line in run.stderr:
            lines.append(line)
            if line.startswith("step 11/20"):
                run.send_signal(signal.SIGKILL)
                break
    assert run.returncode == -signal.SIGKILL, "".join(lines)
    done = load_state(tmp_path / "cut")["progress"]["step"]
    assert 10 <= done < 20
    rest = train(tmp_path / "cut")
    assert f"step {done}/20" not in rest.said
    assert f"step {done + 1}/20" in rest.said
    assert_same_state(tmp_path / "whole", tmp_path / "cut")
    assert whole.trainer.progress.best == rest.trainer.progress.best
