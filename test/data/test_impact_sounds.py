from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hearing_hands_ros.data.impact_sounds import Recording, main, split
from hearing_hands_ros.predictors.example_bank import ExampleBank


def recordings():
    rows = []
    for material, tools in (("wood", 2), ("metal", 1)):
        for tool in range(tools):
            for i in range(9):
                group = f"{material}{tool}{i // 2}"
                rows.append(
                    Recording(
                        f"{material}/{tool}_{i}.wav", "0", material, "tap", str(tool), 16000, 1.0, 0.0, 0.0, group
                    )
                )
    return rows


def test_no_group_is_on_both_sides_and_each_material_is_on_both():
    bank, held = split(recordings())
    assert not {r.group for r in bank} & {r.group for r in held}
    assert len(bank) + len(held) == 27
    assert {r.material for r in bank} == {r.material for r in held} == {"wood", "metal"}
    assert 0.2 < len(held) / 27 < 0.5


def test_split_does_not_depend_on_the_order():
    _, held = split(recordings())
    _, again = split(recordings()[::-1])
    assert {r.file for r in held} == {r.file for r in again}


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_impossible_share_is_refused(share):
    with pytest.raises(ValueError, match="held_out_share"):
        split(recordings(), share)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    lines = ["file,material,action,tool,seconds,sample_rate_hz,channels"]
    for i in range(6):
        wave = np.zeros(8000)
        wave[1600:] = np.random.default_rng(i % 5).normal(0, 0.1, 6400) * np.exp(-np.arange(6400) / 900)
        name = f"wood_{i}.wav"
        soundfile.write(folder / name, wave, 16000)
        lines.append(f"{name},wood,{'scrape' if i == 2 else 'hit'},stick,0.5,16000,1")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "LICENSE.md").write_text("free\n")
    return folder


def test_command_makes_two_banks_that_load(source, tmp_path, capsys):
    assert main([str(source), str(tmp_path / "out")]) == 0
    bank, held = (ExampleBank.load(tmp_path / "out" / name) for name in ("bank", "held_out"))
    both = [*bank.exemplars, *held.exemplars]
    assert len(both) == 6
    assert Counter(e.kind for e in both) == {"tap": 5, "slide": 1}
    groups = {e.file: e.group for e in both}
    assert groups["wood_0.wav"] == groups["wood_5.wav"]  # made from one seed
    assert "wood" in capsys.readouterr().out
    assert (tmp_path / "out" / "bank" / "LICENSE.md").read_text() == "free\n"
    first = (tmp_path / "out" / "bank" / "bank.yaml").read_text()
    assert "onset_s: 0.099" in first  # the millisecond that holds the first sample
    main([str(source), str(tmp_path / "out")])
    assert (tmp_path / "out" / "bank" / "bank.yaml").read_text() == first


def test_foreign_folder_is_not_replaced(source, tmp_path):
    precious = tmp_path / "out" / "bank" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    with pytest.raises(FileExistsError, match="thesis|other files"):
        main([str(source), str(tmp_path / "out")])
    assert precious.read_text() == "mine"


def test_missing_manifest_and_wrong_usage(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"manifest\.csv"):
        main([str(tmp_path), str(tmp_path / "out")])
    assert main([]) == 2
    assert Path(tmp_path / "out").exists() is False
