"""Runs that are stopped, killed, or go wrong."""

import math
import os
import resource
import signal

import pytest
import torch
from run_states import assert_same_state
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hearing_hands_ros.model.checkpoint import load_checkpoint
from hearing_hands_ros.train.state import FILE
from hearing_hands_ros.train.task import make_task
from hearing_hands_ros.train.trainer import TrainingError


def misled(change):
    """A task whose loss is changed: change(step, loss) -> loss, steps counted from 0."""

    def task_of(config):
        task, honest, calls = make_task(config), make_task(config).loss, iter(range(10_000))

        def loss(network, batch, generator):
            value, figures = honest(network, batch, generator)
            return change(next(calls), value), figures

        task.loss = loss
        return task

    return task_of


def test_training_makes_the_loss_smaller_and_leaves_what_is_needed(tmp_path, train):
    words = (
        "run.steps=60",
        "optimizer.learning_rate=5e-3",
        "run.validate_every=30",
        "run.samples=1",
        "run.ema_decay=0.9",
    )
    done = train(tmp_path, *words)
    assert sorted(path.name for path in tmp_path.iterdir() if "tfevents" not in path.name) == ["best", "last", FILE]
    for name in ("best", "last"):
        checkpoint = load_checkpoint(tmp_path / name, "compact")
        assert checkpoint.config["training"]["dataset"] == "made"
        assert checkpoint.config["licence"] == "sound: CC0-1.0"
    mean = done.trainer.ema.network.state_dict()["network.null"]
    assert torch.equal(checkpoint.tensors["network.null"], mean.half())
    board = EventAccumulator(str(tmp_path)).Reload()
    loss = [point.value for point in board.Scalars("train/loss")]
    assert len(loss) == 60
    assert sum(loss[-10:]) < 0.8 * sum(loss[:10])
    assert [point.step for point in board.Scalars("validation/loss")] == [30, 60]
    assert board.Scalars("validation/loss")[1].value < board.Scalars("validation/loss")[0].value
    assert board.Tags()["audio"] == ["office/item_000/predicted", "office/item_000/true"]
    assert board.Images("samples/office/item_000")[1].step == 60


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_run_that_is_asked_to_stop_saves_the_step_in_hand(tmp_path, train, number, exit_code):
    def change(step, loss):
        if step == 6:
            os.kill(os.getpid(), number)
        return loss

    stopped = train(tmp_path / "cut", task_of=misled(change))
    assert (stopped.trainer.progress.step, stopped.exit_code) == (7, exit_code)
    train(tmp_path / "cut")
    train(tmp_path / "whole")
    assert_same_state(tmp_path / "whole", tmp_path / "cut")


def test_steps_without_a_finite_loss_are_left_out(tmp_path, train):
    done = train(tmp_path, task_of=misled(lambda step, loss: loss * math.nan if step in (3, 4, 9) else loss))
    assert done.trainer.progress.step == 20
    assert done.trainer.progress.skipped == 3
    assert all(torch.isfinite(p).all() for p in done.trainer.network.parameters())


def test_a_loss_that_stays_without_a_number_ends_the_run_and_keeps_what_was_saved(tmp_path, train):
    train(tmp_path, "run.steps=5")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(TrainingError, match=r"20 steps in a row: that of step 24 is nan"):
        train(tmp_path, "run.steps=90", task_of=misled(lambda step, loss: loss * math.nan))
    assert (tmp_path / FILE).read_bytes() == before


def test_too_little_memory_names_the_batch(tmp_path, train):
    def change(step, loss):
        return loss + torch.empty(1 << 55).sum()

    with pytest.raises(
        TrainingError, match=r"batch of 4 \(4 in each process\), got too little on cpu; try run.batch=2"
    ):
        train(tmp_path, task_of=misled(change))


def test_a_full_disk_leaves_what_was_saved_before(tmp_path, train):
    train(tmp_path, "run.steps=5")
    before = {path: path.read_bytes() for path in (tmp_path / FILE, tmp_path / "last/model.safetensors")}
    said = []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises(OSError, match=r"File too large|cannot be written") as caught:
            train(tmp_path, "run.steps=8", "run.save_every_s=0")
        said.append(str(caught.value))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in before} == before
    assert not list(tmp_path.glob("*.part"))
    load_checkpoint(tmp_path / "last", "compact")
    assert train(tmp_path, "run.steps=8").trainer.progress.step == 8


def test_a_run_goes_on_with_its_own_configuration_only(tmp_path, train):
    train(tmp_path, "run.steps=4")
    changed = r"run.seed was 0, is now 2; optimizer.learning_rate was 0.0005, is now 0.001\. .*run.resume=changed"
    with pytest.raises(ValueError, match=changed):
        train(tmp_path, "run.steps=6", "optimizer.learning_rate=1e-3", "run.seed=2")
    assert train(tmp_path, "run.steps=6", "run.seed=2", "run.resume=changed").trainer.progress.step == 6
    anew = train(tmp_path, "run.steps=2", "run.seed=2", "run.resume=anew")
    assert "step 1/2" in anew.said


def test_a_state_that_is_none_is_refused(tmp_path, train):
    (tmp_path / FILE).write_bytes(b"not a state")
    with pytest.raises(ValueError, match=r"state\.pt: wanted the state of a run"):
        train(tmp_path)


def test_a_run_starts_from_the_weights_of_another(tmp_path, train):
    train(tmp_path / "one", "run.steps=6")
    two = train(
        tmp_path / "two", "run.steps=1", f"run.start_from={tmp_path / 'one/last'}", "optimizer.learning_rate=1e-9"
    )
    wanted = load_checkpoint(tmp_path / "one/last", "compact").tensors
    got = two.trainer.network.state_dict()
    assert all(torch.allclose(wanted[name].float(), got[name], atol=1e-6) for name in wanted)
    with pytest.raises(ValueError, match=r"tensor 'network.no_look' wanted shape"):
        train(tmp_path / "three", "network.dim=24", f"run.start_from={tmp_path / 'one/last'}")
