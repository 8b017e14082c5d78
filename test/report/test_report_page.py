"""The report as a reader has it: in a real browser, without a network, on a desk and on a phone."""

import dataclasses
import io
import json
import time

import numpy as np
import pytest
from chromium import Page, browser
from made_results import made_touches, write_results
from patience import patience
from PIL import Image

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.report import write_report

pytestmark = pytest.mark.skipif(browser() is None, reason="wants Chromium: requirements/system.sh --browser")

NASTY = "</script><img src=x onerror=alert(1)>"
TIMES = "[...document.querySelectorAll('tr.touch:not([hidden]) .time')].map(cell => Number(cell.textContent))"
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The page of one labelled replay."""
    folder = tmp_path_factory.mktemp("report")
    write_report([write_results(folder / "replay")], folder / "out", most_media=30)
    return folder / "out"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The page of two replays: another model called everything different; its scene is gone, and names are nasty."""
    folder = tmp_path_factory.mktemp("compared")
    first = write_results(folder / "first", scene="gone")
    touches = [dataclasses.replace(touch, verdict="DIFFERENT", material=NASTY) for touch in made_touches()[:20]]
    second = write_results(folder / "second", touches, scene="gone", alpha=0.1, notes=(NASTY,), ended=NASTY)
    write_report([first, second], folder / "out", most_media=10)
    return folder / "out"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with Page(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(tab, single):
    tab.size(*DESK)
    tab.open(single / "report.html")
    return tab


def shown(page):
    return page.run("document.querySelectorAll('tr.touch:not([hidden])').length")


def wait_for(page, condition):
    begun = time.monotonic()
    while not page.run(condition):
        assert time.monotonic() - begun < 5.0 * patience(), condition
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["single", "compared"])
def test_it_loads_without_a_complaint_and_asks_nobody_for_anything(tab, kind, request):
    tab.open(request.getfixturevalue(kind) / "report.html")
    assert shown(tab) == 44
    assert tab.run("[...document.images].every(image => image.naturalWidth > 0)")
    assert tab.complaints() == []
    assert tab.requests() == []


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(page):
    page.run("document.querySelector('[data-sort=p]').click()")
    values = "[...document.querySelectorAll('tr.touch .p')].map(cell => parseFloat(cell.textContent))"
    up = page.run(values)
    known = [value for value in up if value is not None]
    assert len(known) == 42
    assert known == sorted(known)
    assert up[-2:] == [None, None]  # what has no p-value comes last
    page.run("document.querySelector('[data-sort=p]').click()")
    down = page.run(values)
    assert down[:42] == sorted(known, reverse=True)
    assert down[-2:] == [None, None]
    assert page.run("document.querySelector('[data-sort=p]').parentElement.getAttribute('aria-sort')") == "descending"


def test_verdict_material_and_text_filter_together(page):
    page.run("document.querySelector('.chip.DIFFERENT').click()")
    different = shown(page)
    assert different == int(page.run("document.querySelector('.chip.DIFFERENT b').textContent")) == 6
    page.run("document.querySelector('.chip.UNKNOWN').click()")
    assert shown(page) == different + 2
    page.run(
        "{ const select = document.querySelector('[data-filter=outcome]'); select.value = 'false alarm';"
        " select.dispatchEvent(new Event('change')); }"
    )
    assert shown(page) == 1
    assert page.run("document.querySelector('#shown').value") == "1 of 44"
    page.run("document.querySelector('#search').focus()")
    page.write("nothing is called this")
    assert shown(page) == 0
    page.run("document.querySelector('#reset').click()")
    assert shown(page) == 44


def test_everything_can_be_done_by_keyboard(page):
    page.run("document.body.focus()")
    page.press("/")
    page.write("snow")
    snow = shown(page)
    assert 0 < snow < 44
    page.run("document.querySelector('tr.touch[tabindex=\"0\"]').focus()")
    first = page.run("document.activeElement.id")
    page.press("Enter")
    assert page.run("document.querySelectorAll('tr.more').length") == 1
    page.press("ArrowDown")
    assert page.run("document.activeElement.id") != first
    page.press("ArrowUp")
    assert page.run("document.activeElement.id") == first
    page.press("Enter")
    assert page.run("document.querySelectorAll('tr.more').length") == 0


def test_a_spectrogram_plays_its_sound(page):
    page.run("document.querySelector('[data-sound$=heard]').click()")
    wait_for(page, "!player.paused && player.currentTime > 0.1")
    assert page.run("player.duration") == pytest.approx(1.0, abs=0.01)
    assert page.run("document.querySelectorAll('.playing').length") == 1
    wait_for(page, "playing === null")  # it ends, and says so
    assert page.run("document.querySelectorAll('.playing').length") == 0
    every = """Promise.all(Object.values(JSON.parse(document.querySelector('#sounds').textContent)).map(async url => {
      const bytes = await (await fetch(url)).arrayBuffer();
      return (await new OfflineAudioContext(1, 16000, 16000).decodeAudioData(bytes)).duration;
    }))"""
    seconds = page.run(every)
    assert len(seconds) == 27 + 30  # sounds without a touch have no prediction
    assert np.allclose(seconds, 1.0, atol=0.01)


def test_a_touch_that_is_opened_shows_three_spectrograms_the_place_and_why(page):
    page.run("document.querySelector('tr.touch .DIFFERENT').closest('tr').click()")
    seen = "[...document.querySelectorAll('.more figcaption')].map(one => one.textContent)"
    assert page.run(seen) == ["predicted", "heard", "difference", "touched place, 12 cm wide"]
    assert page.run("[...document.querySelectorAll('.more img')].every(image => image.naturalWidth > 0)")
    assert "9 dB louder than expected" in page.run("document.querySelector('.more').textContent")
    left, right = page.run(  # the frame is where the difference is: it begins with the touch
        "['.frame', '.begin'].map(name =>"
        " document.querySelector('.more .big:has(.frame) ' + name).getBoundingClientRect().left)"
    )
    assert left == pytest.approx(right, abs=3.0)


def test_a_mark_leads_to_its_touch(page):
    page.run("document.querySelector('#search').value = 'nothing'; search.dispatchEvent(new Event('input'))")
    page.run("location.hash = '#t5'")
    wait_for(page, "document.activeElement.id === 't5'")
    assert page.run("document.querySelector('#t5').getAttribute('aria-expanded')") == "true"
    assert page.run("document.querySelectorAll('a:has(.mark)').length") == 44 + 41  # over time, and in the scene


def test_only_some_touches_bring_sounds_and_the_page_says_how_many_and_how_large_it_is(page, single):
    assert page.run("document.querySelectorAll('tr.touch:has([data-sound])').length") == 30
    text = page.run("document.body.textContent")
    assert "30 of 44 touches can be seen and heard here" in text
    size = (single / "report.html").stat().st_size / 1e6
    assert f"This page is {size:.1f} MB" in text


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["single", "compared"])
def test_it_fits_on_a_phone_in_either_scheme(tab, kind, dark, request):
    tab.size(*PHONE, dark=dark)
    tab.open(request.getfixturevalue(kind) / "report.html")
    tab.run("document.querySelector('tr.touch').click()")
    assert tab.run("document.documentElement.scrollWidth") == PHONE[0]
    assert tab.run("document.querySelector('#sorting').offsetWidth") > 100  # in place of the headings
    cut = """[...document.querySelectorAll('.touch td, .tile *, .said p, .more dd')]
      .filter(one => one.offsetParent && one.getBoundingClientRect().right > innerWidth).length"""
    assert tab.run(cut) == 0
    pixels = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("L"), float)
    assert pixels.shape == (2 * PHONE[1], 2 * PHONE[0])
    assert (np.median(pixels) < 60) == dark


def test_replays_stand_beside_each_other(tab, compared):
    tab.size(*DESK)
    tab.open(compared / "report.html")
    assert tab.run("document.querySelector('h1').textContent") == "2 replays compared"
    assert tab.run("document.querySelectorAll('#summary .plain thead th').length") == 3
    assert tab.run("document.querySelectorAll('#t1 .said > div').length") == 2
    assert tab.run("document.querySelectorAll('#t44 .said > div').length") == 1
    assert "could not be read: the scene gone" in tab.run("document.body.textContent")
    tab.run("{ const s = document.querySelector('[data-filter=outcome]'); s.value = 'replays differ';"
            " s.dispatchEvent(new Event('change')); }")  # fmt: skip
    told = json.loads((compared / "report.json").read_text())["touches"]
    differ = sum(len({one["verdict"] for one in touch["results"].values()}) > 1 for touch in told)
    assert shown(tab) == differ > 5


def test_the_json_has_every_figure_of_the_page(page, single):
    report = json.loads((single / "report.json").read_text())
    (replay,) = report["replays"]
    figures = replay["measures"]
    tiles = page.run("[...document.querySelectorAll('.tile')].map(tile => tile.innerText)")
    assert any(f"{figures['separations'][0]['auc']:.2f}" in tile for tile in tiles)
    assert any(f"{figures['alarms_each_hour']:.3g}" in tile for tile in tiles)
    assert figures["found"][0] == {"label": "extra_sound", "found": 3, "of": 3}
    assert len(report["touches"]) == 44
    assert report["touches"][6]["results"]["A"]["p_value"] is None  # UNKNOWN has none
    assert sum(touch["in_page"] for touch in report["touches"]) == 30
    assert replay["run"]["model"]["name"] == "made@0"


def test_the_command_writes_beside_the_replay_and_refuses_other_folders(tmp_path, capsys):
    folder = write_results(tmp_path / "replay", made_touches()[:4], scene="")
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").is_file()
    assert str(folder / "report.html") in capsys.readouterr().out
    (folder / "run.json").unlink()
    assert main(["report", str(folder), "--out", str(tmp_path / "other")]) == 2
    assert "run.json" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert main(["report", str(tmp_path / "nowhere")]) == 2


def test_a_replay_without_a_touch_is_a_report_too(tmp_path, tab):
    write_report([write_results(tmp_path / "replay", [], scene="")], tmp_path)
    tab.open(tmp_path / "report.html")
    assert shown(tab) == 0
    assert tab.complaints() == []
