"""The playground as it is seen: pictures side by side, examples as pictures, messages."""

# ruff: noqa: F811 - fixtures

from .test_explain_page import chromium  # noqa: F401 - a fixture
from .test_playground import opened, setting, use, verdict  # noqa: F401 - a fixture


def test_numbers_that_overflow_before_training_are_named_with_what_to_try(opened):
    page = opened()
    use(page, "area,town\n" + "\n".join(f"{k + 1}e200,{'ab'[k % 2]}" for k in range(20)))
    said = page.inner_text("#setting-message")
    assert said.startswith("\u201carea\u201d holds numbers so large that their deviation overflows")
    assert "Use a larger unit, or leave the column out" in said


def test_curve_boundary_and_verdict_are_seen_together(opened):
    page = opened("#epochs=3", viewport={"width": 1280, "height": 720})
    page.click("#play")
    verdict(page)
    ends = page.evaluate(
        "['verdict', 'map', 'costs'].map((id) => { const own = byId(id).querySelector('svg') "
        "|| byId(id), { top, bottom } = own.getBoundingClientRect(); return [top, bottom]; })"
    )
    assert all(0 <= top < bottom <= 720 for top, bottom in ends), ends
    page.evaluate("scrollTo(0, 400)")
    assert page.evaluate("byId('verdict').getBoundingClientRect().top") >= 0


def test_an_example_is_chosen_by_its_picture(opened):
    page = opened()
    pictures = page.locator("#thumbnails button")
    assert pictures.count() == 7
    shown = page.evaluate(
        "[...document.querySelectorAll('#thumbnails canvas')].map((own) => "
        "own.getContext('2d').getImageData(0, 0, own.width, own.height).data.some(Boolean))"
    )
    assert all(shown)
    page.locator("#thumbnails [aria-label=Spirals]").focus()
    page.keyboard.press("Enter")
    assert page.input_value("#data") == "spirals"
    pressed = page.locator("#thumbnails [aria-pressed=true]")
    assert pressed.get_attribute("aria-label") == "Spirals"
    setting(page, data="wave")
    assert pressed.get_attribute("aria-label") == "Wave (regression)"


def test_a_long_table_says_that_it_is_read(opened):
    page = opened()
    said = page.evaluate(
        "async () => { const rows = Array.from({ length: 10000 }, (_, k) => "
        "`${k % 97},${k * 7 % 31},${k % 2}`); "
        "const reading = Playground.use(`area,rooms,sold\\n${rows.join('\\n')}`), "
        "first = byId('data-message').textContent; await reading; "
        "return [first, byId('data-message').textContent]; }"
    )
    assert said[0].startswith("Reading ")
    assert said[1].startswith("10,000 rows, 3 columns")
