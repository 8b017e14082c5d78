import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from hearing_hands_ros.predictors.example_bank import FORMAT, ExampleBank

DEMO = Path(__file__).parents[2] / "demo"


def write(folder, lines):
    document = {"format": FORMAT, "name": "small", "recordings": lines}
    (folder / "bank.yaml").write_text(yaml.safe_dump(document))


@pytest.fixture
def small(tmp_path):
    """Two recordings, and the lines that describe them."""
    lines = []
    for i, material in enumerate(("wood", "metal")):
        wave = 0.1 * np.random.default_rng(i).normal(0, 1, 8000) * np.exp(-np.arange(8000) / 800)
        path = tmp_path / f"{material}.wav"
        soundfile.write(path, wave, 16000)
        lines.append(
            {
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "material": material,
                "action": "tap",
                "tool": "stick",
                "sample_rate_hz": 16000,
                "seconds": 0.5,
                "onset_s": 0.0,
                "level_dbfs": -20.0,
                "group": material,
            }
        )
    write(tmp_path, lines)
    return tmp_path, lines


def test_shipped_bank_and_held_out_share_no_group_and_no_file():
    bank, held = ExampleBank.load(DEMO / "bank"), ExampleBank.load(DEMO / "held_out")
    assert bank.materials == held.materials == ("dirt", "grass", "gravel", "metal", "sand", "snow", "stone", "wood")
    assert not {e.group for e in bank.exemplars} & {e.group for e in held.exemplars}
    assert not {e.file for e in bank.exemplars} & {e.file for e in held.exemplars}
    assert bank.of("wood", "slide")
    assert bank.of("metal", "tap")
    assert (DEMO / "bank" / "LICENSE.md").read_text() == (DEMO / "held_out" / "LICENSE.md").read_text()


def test_exemplars_have_one_level_and_begin_at_their_onset():
    for exemplar in ExampleBank.load(DEMO / "bank").exemplars:
        power = np.convolve(exemplar.wave**2, np.ones(800) / 800).max()
        assert power == pytest.approx(1.0, rel=0.01)
        assert np.abs(exemplar.wave[:2400]).max() > 0.1 * np.abs(exemplar.wave).max()


def test_small_bank_loads_and_its_model_names_its_content(small):
    folder, lines = small
    first = ExampleBank.load(folder)
    assert first.materials == ("metal", "wood")
    lines[0]["tool"] = "hand"
    write(folder, lines)
    assert ExampleBank.load(folder).model != first.model
    assert first.without("wood").materials == ("metal",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", "kick"),
        ("onset_s", 0.6),
        ("onset_s", "soon"),
        ("sample_rate_hz", 44100),
        ("sha256", "0" * 64),
        ("material", 3),
        ("file", "../wood.wav"),
        ("level_dbfs", None),
    ],
)
def test_wrong_field_is_named(small, field, value):
    folder, lines = small
    lines[0][field] = value
    write(folder, lines)
    with pytest.raises(ValueError, match=field):
        ExampleBank.load(folder)


def test_all_missing_files_are_listed(small):
    folder, _ = small
    (folder / "wood.wav").unlink()
    (folder / "metal.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"wood\.wav, metal\.wav"):
        ExampleBank.load(folder)


def test_extra_file_is_named(small):
    folder, _ = small
    (folder / "stray.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"stray\.wav"):
        ExampleBank.load(folder)


def test_silent_and_nan_recordings_are_refused(small):
    folder, lines = small
    for bad, what in ((np.zeros(8000), "silence"), (np.full(8000, np.nan), "finite")):
        soundfile.write(folder / "wood.wav", bad, 16000, subtype="FLOAT")
        lines[0]["sha256"] = hashlib.sha256((folder / "wood.wav").read_bytes()).hexdigest()
        write(folder, lines)
        with pytest.raises(ValueError, match=what):
            ExampleBank.load(folder)


@pytest.mark.parametrize("text", ["", "[1, 2]", "format: other", "a: [", f"format: {FORMAT}\nname: a\nrecordings: []"])
def test_file_that_is_no_bank_is_refused(tmp_path, text):
    (tmp_path / "bank.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"bank\.yaml"):
        ExampleBank.load(tmp_path)


def test_folder_without_a_bank_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"bank\.yaml"):
        ExampleBank.load(tmp_path / "nothing")
