"""Students that need fewer steps than their teacher."""

import os
import signal
from dataclasses import asdict

import numpy as np
import pytest
import torch
from burst_dataset import DIM, SEQUENCE
from run_states import assert_same_state
from small_runs import fit
from torch import nn

from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.model.checkpoint import load_checkpoint, save_checkpoint
from hearing_hands_ros.model.compact.conditions import conditions_of
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling
from hearing_hands_ros.model.flow.solvers import integrate, uniform_grid
from hearing_hands_ros.train.compact_config import SHIFT
from hearing_hands_ros.train.compact_task import CompactModel
from hearing_hands_ros.train.config import load_config
from hearing_hands_ros.train.reuse import Reuse
from hearing_hands_ros.train.sampler import Order, Pick, generator_of
from hearing_hands_ros.train.student_loss import distill_loss, reflow_loss
from hearing_hands_ros.train.task import make_task

TASKS = ("reflow", "distill")
SMALL = (
    "run.batch=4", "run.steps=12", "run.log_every=1", "run.samples=0", "run.validate_every=100", "run.ema_decay=0.9",
    "optimizer.warmup_steps=5", "data.longest_s=1.5", "teacher.steps=8", "pairs.batches=3", "pairs.times=2",
)  # fmt: skip


def made_teacher(folder, *, kind="compact", encoder="tiny", dim=DIM, sequence=SEQUENCE, mean=-3.0):
    """A checkpoint of a network with random weights, whose flow is far from straight."""
    torch.manual_seed(0)
    config = CompactConfig(feature_dim=dim, dim=16, depth=2, heads=2)
    model = CompactModel(config, torch.full((80,), mean), torch.ones(80))
    with torch.no_grad():
        model.network.leave.weight.normal_(0.0, 0.5)
        model.network.last.weight.normal_(0.0, 1.0)
        model.network.null.normal_(0.0, 1.0)
    document = {
        "network": asdict(config),
        "sequence": asdict(sequence),
        "encoder": encoder,
        "training": {"steps": 7},
        "licence": "Apache-2.0",
        "vocoder": "griffin_lim",
    }
    save_checkpoint(folder, kind, document, model.state_dict())
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return made_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture
def words(dataset, teacher):
    return [*SMALL, f"data.folder={dataset}", f"teacher.folder={teacher}"]


class Narrow(nn.Module):
    """Velocity of numbers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, x, t):
        return self.layers(torch.cat([x, t[:, None]], dim=1))


@pytest.mark.parametrize(("task", "steps"), [("reflow", 2), ("distill", 4), ("distill", 2), ("distill", 1)])
def test_a_student_arrives_where_a_known_flow_ends_in_fewer_steps_than_the_flow_itself(task, steps):
    mean, std = 1.5, 0.5  # of the data; noise is standard normal, and curves take it to mean + std * noise

    def teacher(x, t):
        t = t[:, None]
        return mean + (t * std**2 - (1 - t)) / (t**2 * std**2 + (1 - t) ** 2) * (x - t * mean)

    torch.manual_seed(0)
    student, generator = Narrow(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(student.parameters(), 5e-3)
    for _ in range(300):
        noise = torch.randn(256, 1, generator=generator)
        sound = mean + std * noise
        if task == "reflow":
            loss = reflow_loss(student, noise, sound, generator)
        else:
            loss = distill_loss(student, noise, sound, uniform_grid(steps))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    noise = torch.randn(1000, 1, generator=generator)
    grid, wanted = uniform_grid(steps), mean + std * noise
    with torch.no_grad():
        missed, teachers = ((integrate(v, noise, grid) - wanted).square().mean() for v in (student, teacher))
    assert missed < 0.1 * teachers


@pytest.mark.parametrize("task", TASKS)
def test_a_student_does_in_one_step_what_its_guided_teacher_does_in_many(tmp_path, dataset, teacher, words, task):
    asked = [f"run.out={tmp_path}", "run.steps=80", "optimizer.learning_rate=1e-2", "data.longest_s=1", "pairs.times=4"]
    fit(load_config(task, [*words, *asked, "objective.steps=1", "teacher.guidance=3"]))
    opened = Dataset.open(dataset)
    item = opened.load(opened.items("test")[0])
    conditions = conditions_of(item.motion, item.contact_local.astype(np.float32), item.scene_views, SEQUENCE)
    noise = np.random.default_rng(0).standard_normal((80, PATCH * len(conditions.hands))).astype(np.float32)

    def drawn(folder, sampling=None):
        return CompactGenerator.load(folder, "cpu").generate([conditions], [noise], sampling)[0]

    wanted = drawn(teacher, Sampling(8, 3.0, SHIFT))
    mine, hurried, unguided = (
        drawn(tmp_path / "last"),
        drawn(teacher, Sampling(1, 3.0)),
        drawn(teacher, Sampling(8, shift=SHIFT)),
    )
    missed, *others = (float(np.square(sound - wanted).mean()) for sound in (mine, hurried, unguided))
    assert missed < 0.8 * min(others)


@pytest.mark.parametrize("task", TASKS)
def test_what_a_student_leaves_says_how_to_sample_it_and_who_taught_it(tmp_path, teacher, words, task):
    fit(load_config(task, [*words, f"run.out={tmp_path}", "run.steps=1", "objective.steps=2"]))
    told = load_checkpoint(tmp_path / "best", "compact").config
    assert told["sampling"] == asdict(Sampling(2, 1.0, SHIFT))
    assert told["training"]["task"] == task
    assert told["training"]["dataset"] == "made"
    assert told["training"]["teacher"]["training"] == {"steps": 7}
    assert (
        told["training"]["teacher"]["sha256"]
        == load_checkpoint(teacher, "compact").config["sha256"]["model.safetensors"]
    )
    assert told["licence"] == "sound: CC0-1.0; teacher: Apache-2.0"
    assert told["vocoder"] == "griffin_lim"


def test_a_student_that_takes_all_steps_of_its_unguided_teacher_has_nothing_to_learn(words):
    asked = [
        "run.out=x",
        "teacher.guidance=1",
        "objective.steps=8",
        "objective.drop_vision=0.4",
        "objective.drop_hands=0.4",
    ]
    task = make_task(load_config("distill", [*words, *asked]))
    student, batch = task.build(), task.data("train")[Pick(np.arange(6), 5)]
    with torch.no_grad():
        assert float(task.loss(student, batch, generator_of(0))[0]) < 1e-8


@pytest.mark.parametrize("task", TASKS)
def test_a_student_that_is_stopped_and_goes_on_ends_with_the_same_numbers(tmp_path, words, task):
    def stopping(config):
        made = make_task(config)
        honest, calls = made.loss, iter(range(1000))

        def loss(*args):
            if next(calls) == 7:  # between the first and the second time of a block
                os.kill(os.getpid(), signal.SIGTERM)
            return honest(*args)

        made.loss = loss
        return made

    fit(load_config(task, [*words, f"run.out={tmp_path / 'whole'}"]))
    cut = load_config(task, [*words, f"run.out={tmp_path / 'cut'}"])
    assert fit(cut, stopping).trainer.progress.step == 8
    fit(cut)
    assert_same_state(tmp_path / "whole", tmp_path / "cut")


def test_the_teacher_is_asked_once_for_what_comes_several_times(tmp_path, words):
    asked = []

    def counting(config):
        task = make_task(config)
        honest = task.teacher.sound

        def sound(conditions, noise, *rest):
            asked.append(noise)
            return honest(conditions, noise, *rest)

        task.teacher.sound = sound
        return task

    fit(load_config("reflow", [*words, f"run.out={tmp_path}"]), counting)
    lessons, exams = asked[:-2], asked[-2:]
    assert len(lessons) == 6  # two blocks of three in 12 steps
    assert torch.equal(*exams)
    assert len({float(noise[0, 0, 0]) for noise in lessons}) == 6


def test_batches_come_in_blocks():
    picks = list(Order(20, 4, (0, 12), seed=1, reuse=Reuse(batches=3, times=2)))
    assert [pick.seed for pick in picks[:3]] == [pick.seed for pick in picks[3:6]]
    assert len({pick.seed for pick in picks}) == 6
    assert sorted(np.concatenate([pick.items for pick in picks[:3] + picks[6:8]])) == list(range(20))
    later = list(Order(20, 4, (4, 12), seed=1, reuse=Reuse(batches=3, times=2)))
    assert [pick.seed for pick in later] == [pick.seed for pick in picks[4:]]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"encoder": "large"}, "encoder of the teacher wanted 'tiny', as Dataset('made') has it, got 'large'"),
        ({"dim": 9}, "wanted network.feature_dim 9, got 6; the teacher is {folder}"),
        ({"kind": "published"}, "{folder}/config.yaml: kind wanted 'compact', got 'published'"),
    ],
)
@pytest.mark.parametrize("task", TASKS)
def test_a_teacher_that_does_not_fit_is_named(tmp_path, words, task, other, message):
    made_teacher(tmp_path, **other)
    with pytest.raises(ValueError) as caught:
        make_task(load_config(task, [*words, "run.out=x", f"teacher.folder={tmp_path}"]))
    assert message.format(folder=tmp_path) in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_teacher_that_is_missing_is_said_so(tmp_path, words):
    with pytest.raises(
        ValueError, match=r"teacher\.folder wanted the checkpoint folder of a compact network, got none"
    ):
        make_task(load_config("reflow", [*words, "run.out=x", "teacher.folder="]))
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "nowhere")):
        make_task(load_config("reflow", [*words, "run.out=x", f"teacher.folder={tmp_path / 'nowhere'}"]))


def test_a_student_goes_on_from_another_of_the_same_teacher_and_no_other(tmp_path, words):
    fit(load_config("reflow", [*words, f"run.out={tmp_path / 'one'}", "run.steps=2", "optimizer.learning_rate=0.01"]))
    task = make_task(load_config("distill", [*words, "run.out=x"]))
    student = task.build()
    task.start(student, tmp_path / "one/last")
    kept = load_checkpoint(tmp_path / "one/last", "compact").tensors
    assert torch.equal(student.network.leave.weight, kept["network.leave.weight"])
    assert [name for name, value in student.named_parameters() if not value.requires_grad] == ["network.null"]
    with pytest.raises(ValueError, match=r"stranger/model\.safetensors: mel_mean wanted that of the teacher"):
        task.start(student, made_teacher(tmp_path / "stranger", mean=-2.0))
