"""The replay page in headless Chromium: it plays, steps, answers the keyboard, fits every width and throws nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser, find
from show_page_cases import ALL, page_of

pytestmark = pytest.mark.skipif(find() is None, reason="no headless Chromium on the PATH")

WIDTHS = (360, 600, 1280)
MAIN = ("surface", "space", "loss", "gap")
CONTROLS = ["play", "first", "back", "forward", "end", "slider", "speed"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def opened(chromium: Browser, folder: Path, name: str, **options: object) -> None:
    path = folder / f"{name}.html"
    if not path.exists():
        path.write_text(page_of(name), encoding="utf-8")
    chromium.open(path, **options)  # type: ignore[arg-type]


def pictures(chromium: Browser) -> dict[str, str]:
    """What is drawn in each of the main views."""
    return {view: chromium.run(f"document.querySelector('[data-view={view}] canvas').toDataURL()") for view in MAIN}


def frame(chromium: Browser) -> int:
    """The frame that is shown, which the slider and every view must agree on."""
    shown = chromium.run("Number(document.getElementById('slider').value)")
    drawn = chromium.run("[...document.querySelectorAll('canvas')].map((c) => Number(c.dataset.frame))")
    assert set(drawn) == {shown}
    return int(shown)


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_thrown_and_nothing_overflows(chromium, folder, name):
    for width in WIDTHS:
        opened(chromium, folder, name, width=width, height=740)
        assert chromium.run("document.documentElement.scrollWidth") <= width
        beyond = chromium.run(
            "[...document.querySelectorAll('main *')].filter((e) => !e.closest('.hidden') && e.checkVisibility()"
            f" && e.getBoundingClientRect().right > {width} + 0.5).map((e) => e.outerHTML.slice(0, 80))"
        )
        # The bar of controls reaches into the margins, to the borders of the page and no farther.
        assert beyond == []
        assert chromium.run("[...document.querySelectorAll('figure:not([hidden]) canvas')].every((c) => c.width > 200)")
        chromium.run("go(0), go(Math.floor(last / 2))")
        assert chromium.errors == []
        assert [url.split("/")[-1] for url in chromium.requests] == [f"{name}.html"]  # it asks for nothing else


def test_a_step_moves_every_view(chromium, folder):
    opened(chromium, folder, "line")
    end = frame(chromium)
    assert end == 120
    before, words = pictures(chromium), chromium.run("document.querySelector('canvas').getAttribute('aria-label')")
    chromium.run("document.getElementById('back').click()")
    after = pictures(chromium)
    assert frame(chromium) == end - 1
    assert all(before[view] != after[view] for view in MAIN)
    assert chromium.run("document.querySelector('canvas').getAttribute('aria-label')") != words
    chromium.run("document.getElementById('forward').click()")
    assert pictures(chromium) == before
    assert frame(chromium) == end
    assert chromium.run("document.getElementById('forward').disabled && document.getElementById('end').disabled")


def test_play_moves_the_slider_to_the_end(chromium, folder):
    opened(chromium, folder, "line")
    chromium.run("document.getElementById('speed').selectedIndex = 4, document.getElementById('play').click()")
    assert chromium.run("document.getElementById('play').textContent") == "Pause"
    seen = chromium.run(
        "new Promise((done) => { const seen = []; const look = () => { const v = Number(byId('slider').value);"
        " if (v !== seen.at(-1)) seen.push(v); if (state.playing) requestAnimationFrame(look); else done(seen); };"
        " look(); })"
    )
    assert seen[-1] == 120 and len(seen) > 5 and seen == sorted(seen)
    assert seen[0] < 20  # it began at the start
    assert frame(chromium) == 120
    assert chromium.run("document.getElementById('play').textContent") == "Play"
    assert chromium.errors == []


def test_pause_stays_where_it_is(chromium, folder):
    opened(chromium, folder, "line")
    chromium.press(" ")
    chromium.run("new Promise((done) => { const look = () => state.frame > 2 ? done() : requestAnimationFrame(look);"
                 " look(); })")  # fmt: skip
    chromium.press(" ")
    at = frame(chromium)
    chromium.run("new Promise((done) => setTimeout(done, 150))")
    assert frame(chromium) == at and 2 < at < 120


def test_the_keyboard_reaches_and_moves_everything(chromium, folder):
    opened(chromium, folder, "line")
    chromium.run("go(60)")
    for key, wanted in (("ArrowRight", 61), ("ArrowLeft", 60), ("ArrowLeft", 59), ("Home", 0), ("End", 120)):
        chromium.press(key)
        assert frame(chromium) == wanted
    speed = "document.getElementById('speed').selectedIndex"
    chromium.press("+")
    assert chromium.run(speed) == 3
    chromium.press("-")
    chromium.press("-")
    assert chromium.run(speed) == 1
    chromium.run("go(60)")
    reached = []
    for _ in CONTROLS:
        chromium.press("Tab")
        reached.append(chromium.run("document.activeElement.id"))
        assert chromium.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == CONTROLS
    chromium.run("document.getElementById('back').focus()")
    chromium.press("Enter")
    assert frame(chromium) == 59
    chromium.press(" ", "Space")  # presses the button that has the focus, and does not play
    assert frame(chromium) == 58 and not chromium.run("state.playing")
    chromium.run("document.getElementById('slider').focus()")
    chromium.press("ArrowRight")
    assert frame(chromium) == 59
    assert chromium.errors == []


def test_the_numbers_beside_are_those_of_the_step(chromium, folder):
    opened(chromium, folder, "line")
    chromium.run("go(12)")
    pairs = "[...document.querySelectorAll('.now [id]')].map((e) => [e.id, e.textContent])"
    shown = chromium.run(f"Object.fromEntries({pairs})")
    wanted = chromium.run("readings(12)")
    assert shown == {f"now-{key}": text for key, text in wanted.items()}
    assert chromium.run("document.getElementById('told').textContent") == (
        f"Step 12: loss {wanted['loss']}, gap {wanted['gap']}."
    )
    assert shown["now-step"] == "12" and shown["now-epoch"] == "1" and shown["now-rate"] == "0.01"
    assert chromium.run("document.getElementById('slider').getAttribute('aria-valuetext')") == "step 12 of 120"


def test_light_and_dark_differ(chromium, folder):
    opened(chromium, folder, "petals")
    light, paper = pictures(chromium), chromium.run("getComputedStyle(document.body).backgroundColor")
    opened(chromium, folder, "petals", dark=True)
    assert chromium.run("getComputedStyle(document.body).backgroundColor") != paper
    dark = pictures(chromium)
    assert all(light[view] != dark[view] for view in MAIN)
    # Changed while the page is open, it is drawn anew.
    chromium.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    chromium.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert pictures(chromium) == light


def test_a_narrower_window_draws_anew(chromium, folder):
    opened(chromium, folder, "line")
    wide = chromium.run("document.querySelector('canvas').width")
    chromium.ask("Emulation.setDeviceMetricsOverride", width=400, height=740, deviceScaleFactor=2, mobile=True)
    chromium.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert chromium.run("document.querySelector('canvas').width") not in (wide, 300)
    assert chromium.run("document.querySelector('canvas').width === 2 * document.querySelector('canvas').clientWidth")


def test_an_address_may_name_the_step(chromium, folder):
    opened(chromium, folder, "line", fragment="#step=30")
    assert frame(chromium) == 30
    opened(chromium, folder, "petals", fragment="#step=100000")
    assert frame(chromium) == chromium.run("last")
