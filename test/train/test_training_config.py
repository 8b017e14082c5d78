"""Configurations: read strictly, and with a word on what was probably meant."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from hearing_hands_ros.train.config import DEFAULTS, RunConfig, changes, load_config
from hearing_hands_ros.train.reading import flat

CONFIG = Path(__file__).parents[2] / "config/train"


@pytest.mark.parametrize("task", DEFAULTS)
def test_every_setting_stands_in_the_file_with_its_default(task):
    written = yaml.safe_load((CONFIG / f"{task}.yaml").read_text())
    assert written == DEFAULTS[task].document()
    kinds = {key: type(value) for key, value in flat(written).items()}
    assert kinds == {key: type(value) for key, value in flat(DEFAULTS[task].document()).items()}


@pytest.mark.parametrize("task", DEFAULTS)
def test_what_is_written_is_read_again(task, tmp_path):
    config = replace(DEFAULTS[task], run=RunConfig(out="somewhere", steps=7, precision="bf16"))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.document()))
    assert load_config(path) == config
    assert changes(config.document(), config) == {}


def test_words_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: compact\nrun: {out: a, batch: 8, seed: 3}\noptimizer:\n  betas: [0.8, 0.95]\n")
    config = load_config(path, ["run.seed=5", "optimizer.learning_rate=1e-4", "network.depth=2"])
    assert (config.run.batch, config.run.seed, config.run.steps) == (8, 5, RunConfig().steps)
    assert config.optimizer.learning_rate == 1e-4  # YAML alone would read a text
    assert config.optimizer.betas == (0.8, 0.95)
    assert config.options.network.depth == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run.bach=4"], "no such key; did you mean run.batch?"),
        (["learning_rate=1e-3"], "did you mean optimizer.learning_rate?"),
        (["run.batch"], "wanted key=value"),
        (["run.batch=many"], "run.batch wanted a whole number, got 'many'"),
        (["run.batch=4.5"], "run.batch wanted a whole number, got 4.5"),
        (["run.batch=true"], "run.batch wanted a whole number, got True"),
        (["run.batch=0"], "batch wanted at least 1, got 0"),
        (["run.precision=16"], "run.precision wanted one of 32, bf16, got '16'"),
        (["optimizer.learning_rate=.nan"], "learning_rate wanted more than 0"),
        (["optimizer.betas=[0.9]"], "optimizer.betas wanted 2 values, got [0.9]"),
        (["data.longest_s=60"], "shortest_s <= longest_s <= 10 s"),
        (["objective.drop_all=0.9"], "drop_all + drop_vision + drop_hands wanted at most 1"),
        (["network.heads=3"], "dim wanted a multiple of 6"),
        (["run.out="], "run.out wanted a folder to write to"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(words, message):
    with pytest.raises(ValueError) as caught:
        load_config("compact", ["run.out=x", *words])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: compakt", "task wanted one of compact, published, reflow, distill, finetune, got 'compakt'"),
        ("task: compact\noptimiser: {}", "optimiser: no such section; did you mean optimizer?"),
        ("task: compact\nrun: {stepz: 3}", "run.stepz: no such key; did you mean run.steps?"),
        ("task: compact\nrun: 5", "run wanted keys and values, got 5"),
        ("- a\n- b", "wanted keys and values, got list"),
        ("a: [", "wanted YAML"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="mine.yaml") as caught:
        load_config(path)
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_said_so():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        load_config("nowhere.yaml")


def test_changes_name_what_makes_other_numbers_and_nothing_else():
    saved = load_config("compact", ["run.out=a"]).document()
    config = load_config("compact", ["run.out=b", "run.steps=9", "run.batch=64", "optimizer.schedule=constant"])
    assert changes(saved, config) == {"run.batch": (32, 64), "optimizer.schedule": ("cosine", "constant")}
