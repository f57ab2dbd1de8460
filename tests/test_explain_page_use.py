"""The explanation page as a reader uses it: keyboard, picture, play, undo, address, lesson."""

# ruff: noqa: F811 - the fixtures come from the page's other tests

import numpy as np
import pytest

import deltarule as dr
from deltarule import explain
from deltarule.checks import worked_example

from .test_explain import start_of
from .test_explain_page import agree, chromium, edit, opened, trained  # noqa: F401

WORKED = explain.worked_trace()


def active(page):
    return page.evaluate("(({key, i, j}) => [key, i, j])(document.activeElement.dataset)")


def until(page, condition):
    """Wait for the page, which allows no evaluated strings of its own."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


# ------------------------------------------------------------------------------- the picture


def test_the_story_opens_with_the_question_and_closes_with_the_answer(opened):
    page = opened(WORKED)
    assert page.inner_text("#question") == (
        "For example 1 the network says y1 = 0.881; the answer is 0. "
        "Whose fault is that, and by how much?"
    )
    assert page.locator(".answer").count() == 0
    page.evaluate("Walk.go(Infinity)")
    answer = page.inner_text(".answer")
    assert "32 of 43 weights and biases" in answer
    assert "the cost goes from 1.72 to 0.363" in answer
    after = explain.worked_trace(2).steps[1]
    assert f"says y1 = {after.A[-1][0, 0]:.3f} for example 1" in answer


def test_the_picture_is_on_the_first_screen_beside_the_step(opened):
    page = opened(WORKED, viewport={"width": 1280, "height": 720})
    network, step = (page.locator(at).bounding_box() for at in ("#network svg", "#substep"))
    assert network["y"] + network["height"] < 720
    assert step["y"] < 250
    assert step["x"] > network["x"] + network["width"] / 2


def test_values_appear_when_they_are_computed(opened):
    page = opened(WORKED)
    shown = "[...document.querySelectorAll('#network [data-part]')].map((p) => p.dataset.key)"
    outs = page.evaluate("Story.steps().map(({out}) => out)")
    for at, out in enumerate(outs):
        page.evaluate("(at) => Walk.go(at)", at)
        keys = set(page.evaluate(shown))
        assert not keys & set(outs[at + 1 :])
        if out[:2] != "dA" or out == "dA[0]":
            assert out in keys
        assert page.locator("#network .lit, #network [data-key='C']").count() > 0
    assert page.locator("#network [data-key='dW[1]']").count() == 0  # the new weights by now


def test_an_entry_marks_its_wire_and_a_wire_its_entry(opened):
    page = opened(WORKED)
    page.evaluate("Walk.goTo('dW[2]')")
    page.click("#substep [data-key='dW[2]'][data-i='1'][data-j='3']")
    assert page.locator("#network .chosen").get_attribute("data-part") == "wire-2-1-3"
    page.locator("#network [data-part='wire-2-0-1']").dispatch_event("click")
    chosen = page.locator("#substep .chosen")
    assert [chosen.get_attribute(f"data-{name}") for name in ("key", "i", "j")] == [
        "dW[2]",
        "0",
        "1",
    ]
    assert "/ 2" in page.inner_text("#substep .arithmetic")
    page.locator("#network [data-part='unit-1-3']").dispatch_event("pointerover")
    assert page.inner_text("#peek").startswith("A[1]₄₁ (unit 4 of layer 1, example 1) = ")
    page.locator("#network [data-part='unit-2-1']").dispatch_event("click")
    page.click("text=Show it in sub-step 4")
    assert page.inner_text("#counter").startswith("4 of")
    assert page.inner_text("#substep .arithmetic").startswith("A[2]₂₁ = ")
    page.evaluate("Walk.go(0)")
    page.locator("#network [data-part='wire-1-3-2']").dispatch_event("pointerover")
    assert "It carries 2 and adds 1 · 2 = 2 to z₄" in page.inner_text("#peek")


def test_negative_zero_is_exact_where_it_must_be_and_else_zero(opened):
    page = opened(WORKED)
    assert page.evaluate("[Expressions.atom(-0, 0), Expressions.atom(-0, 6)]") == ["(-0)", "0"]


def test_a_layer_of_another_kind_is_drawn_as_a_stage(opened):
    network = dr.Network(2, [dr.Scale(), dr.Dense(1)])
    trace = explain.trace(network, network.initial_parameters(), [[1.0, 2.0]], [3.0])
    page = opened(trace)
    assert page.text_content("#network .stage") == "scale2 → 2"
    outs = page.evaluate("Story.steps().filter(({layer}) => layer === 1).map(({out}) => out)")
    assert outs[0] == "A[1]"
    assert "W_new[1]" not in outs
    assert {"A[1]", "dA[0]"} <= set(outs)


# ------------------------------------------------------------------------------- by keyboard


def test_the_keyboard_alone_walks_looks_and_edits(opened):
    page = opened(WORKED)
    stops = []
    while not (stops and stops[-1] == "Z[1]"):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate("document.activeElement.dataset.key || document.activeElement.id")
        )
        assert len(stops) < 12, stops
    assert stops[:4] == ["", "play", "speed", "next"]
    page.keyboard.press("ArrowDown")
    assert active(page) == ["Z[1]", "1", "0"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.inner_text("#substep .arithmetic").startswith("Z[1]₂₂ = ")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    assert active(page) == ["W[1]", "0", "1"]
    assert page.evaluate("Page.now.V['W[1]'].v[1]") == 0.5
    page.keyboard.press("Enter")
    page.keyboard.type("9")
    page.keyboard.press("Escape")
    assert active(page) == ["W[1]", "0", "1"]
    assert page.evaluate("Page.now.V['W[1]'].v[1]") == 0.5
    page.focus("#network [data-part='unit-0-0']")
    page.keyboard.press("ArrowDown")
    assert active(page) == ["A[0]", "1", "1"]  # example 2, which was chosen
    page.keyboard.press("Enter")
    assert page.inner_text("#substep .arithmetic").startswith("A[0]₂₂ = ")
    page.focus("#progress [aria-current]")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#counter").startswith("2 of")
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "step"


def test_a_phones_targets_are_large_enough(opened):
    page = opened(WORKED, viewport={"width": 390, "height": 844})
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input[type=checkbox]")]
        .map((e) => e.getBoundingClientRect())
        .filter(({ width, height }) => width && (width < 22 || height < 22)).length"""
    )
    assert small == 0


# ----------------------------------------------------------------------- undo and the address


def test_an_edit_is_listed_as_it_flows_and_undone(opened):
    page = opened(WORKED)
    edit(page, "W[2]", -0.75, (1, 0))
    flow = page.locator("#diff .chip").all_inner_texts()
    assert flow[:3] == ["W[2] 1 of 12", "Z[2] 1 of 6", "A[2] 1 of 6"]
    assert flow[-1] == "new b[3]"
    assert "unit 2 of layer 2, unit 1 of layer 1" in page.locator("#diff table").text_content()
    edit(page, "α", 0.5)
    page.click("#undo")
    page.keyboard.press("Control+z")
    agree(page, WORKED.steps[0])
    assert page.is_disabled("#undo")
    assert page.inner_text("#diff") == ""


def test_the_address_shows_the_same_page(opened):
    page = opened(WORKED)
    edit(page, "W[1]", -0.75, (2, 3))
    trained(page, 10)
    trained(page, 1)
    edit(page, "α", 1e-5)
    page.evaluate("Walk.go(10)")
    until(page, "location.hash.includes('at=11')")
    fragment = page.evaluate("location.hash.slice(1)")
    assert fragment == "at=11&do=W1.3.4:-0.75;train:11;alpha:0.00001"
    other = opened(WORKED, fragment=fragment)
    assert other.inner_text("#counter").startswith("11 of")
    same = "[Page.now.alpha, Page.now.t, ...Object.values(Page.now.V).flatMap(({v}) => [...v])]"
    assert other.evaluate(same) == page.evaluate(same)
    assert other.get_attribute("#curve", "data-steps") == "11"
    other.evaluate("location.hash = 'do=rows:1,2,3,4,5,1/0,0,1,1,2,0'")
    until(other, "Page.now.X.v[1] === 0")
    assert other.evaluate("[...Page.now.Y.v]") == [1, 0]
    assert other.inner_text("#counter").startswith("1 of")


@pytest.mark.parametrize(
    "fragment",
    ["do=W9.1.1:2", "do=W1.9.9:2", "do=W1.1.1:x", "do=Z1.1.1:2", "do=train:1e9", "do=%00", "step=7",
     "do=rows:1,2", "do=constructor.1.1:2", "do=<img src=x>"],
)  # fmt: skip
def test_an_address_that_asks_for_what_is_not_there_says_so(opened, fragment):
    page = opened(WORKED, fragment=fragment)
    assert "The address asks for what this page cannot show" in page.inner_text("#edit-message")
    agree(page, WORKED.steps[0])


# ---------------------------------------------------------------------------- play and train


def test_play_goes_on_through_the_update_and_pauses_anywhere(opened):
    page = opened(WORKED)
    page.select_option("#speed", "fast")
    page.click("#play")
    until(page, "Walk.state.at >= 2")
    page.evaluate("Play.pause()")
    assert page.inner_text("#play") == "▶ Play"
    page.locator("#substep td button").first.click()
    assert page.locator("#substep .arithmetic").count() == 1
    page.evaluate("Walk.go(Walk.count() - 1)")
    page.click("#play")
    until(page, "document.getElementById('curve').dataset.steps === '1'")
    page.click("#play")
    page.evaluate("Walk.go(0)")
    agree(page, explain.worked_trace(2).steps[1])
    assert page.locator("#curve svg").count() > 0
    page.click("#back")
    assert page.inner_text("#counter") == "27 of 27"
    agree(page, WORKED.steps[0])
    page.select_option("#speed", "steps")
    page.click("#play")
    until(page, "document.getElementById('curve').dataset.steps > 2")
    page.locator("#network [data-part='unit-1-3']").dispatch_event("click")
    assert page.inner_text("#play") == "▶ Play"


FALLING = [1 / (k + 1) for k in range(60)]


@pytest.mark.parametrize(("costs", "said"), [
    ([36.93, 213.1] * 40, "goes up and down"),
    ([5.155 + k / 500 if k % 2 else 19.84 - k / 500 for k in range(80)], "goes up and down"),
    (FALLING, "round again"),
    (FALLING + [0.5] * 30, "Converged: over the last 20 steps"),
    ([1.0, 1e-13] + [1e-13] * 20, "Converged"),
    ([1.0] * 12, "round again"),
    ([1.0, 30.0, None], "Diverged: after 2 steps"),
])  # fmt: skip
def test_a_window_of_costs_is_compared_with_its_spread(opened, costs, said):
    verdict = opened(WORKED).evaluate("(c) => Training.verdict(c.map((x) => x ?? NaN))", costs)
    assert said in verdict


def test_a_zigzag_is_not_converged(opened):
    page = opened(WORKED)
    edit(page, "α", 1000)
    trained(page, 1000)
    assert page.inner_text("#verdict").startswith("Not converged: the cost goes up and down.")
    assert "between 36.93 and 213.1" in page.inner_text("#verdict")


def test_training_goes_on_after_a_change_and_ends_at_start_over(opened):
    page = opened(WORKED)
    edit(page, "α", 5)
    trained(page, 1000)
    assert page.inner_text("#verdict").startswith("Converged: over the last 20 steps")
    taken = int(page.get_attribute("#curve", "data-steps"))
    trained(page, 10)
    assert page.get_attribute("#curve", "data-steps") == str(taken)
    edit(page, "b[1]", 3)
    trained(page, 1)
    assert page.get_attribute("#curve", "data-steps") == str(taken + 1)
    until(page, "location.hash.endsWith(';b1.1.1:3;train:1')")
    page.evaluate("Training.train(1e9); Page.reset()")
    page.wait_for_timeout(100)
    agree(page, WORKED.steps[0])
    until(page, "location.hash === ''")


@pytest.mark.parametrize(("inputs", "plots"), [(1, 1), (2, 1), (3, 0)])
def test_what_is_learned_is_drawn_for_one_or_two_inputs(opened, inputs, plots):
    net = dr.Network(inputs, [dr.Dense(3, "tanh"), dr.Dense(1, "sigmoid")], "binary_cross_entropy")
    X = np.arange(4 * inputs).reshape(4, inputs) / 5
    page = opened(explain.trace(net, start_of(net), X, [0.0, 1.0, 1.0, 0.0]))
    assert page.locator("#fit svg").count() == plots
    if not plots:
        return
    before = page.inner_html("#fit")
    trained(page, 100)
    assert page.inner_html("#fit") != before
    assert page.locator("#fit circle").count() == 4


def test_a_pasted_header_is_skipped_or_puts_the_columns_in_order(opened):
    page = opened(WORKED)
    example = worked_example()
    page.click("summary:has-text('Your own rows')")
    row = [1.0, 2.0, 3.0, 4.0, 5.0, 1.0]
    for header, said, values in (
        ("a,b,c,d,e,f", "The first line is a header and was skipped.", row),
        ("y1;x5;x4;x3;x2;x1", "The header’s names put the columns in order.", row[::-1]),
    ):
        page.fill("#rows", f"{header}\n{','.join(map(str, values))}".replace(",", ";"))
        page.click("#paste")
        assert page.inner_text("#paste-message") == f"1 row taken. {said}"
        trace = explain.trace(
            example.network, example.parameters, [row[:5]], [row[5]],
            optimizer=dr.GradientDescent(0.1),
        )  # fmt: skip
        agree(page, trace.steps[0])
    page.evaluate("Walk.goTo('db[3]')")  # the page checks rows that the trace does not know
    assert "its one entry" in page.inner_text("#substep details.check")
    page.click("#undo")
    page.click("#undo")
    page.evaluate("Walk.goTo('db[3]')")
    assert "its one entry" in page.inner_text("#substep details.check")


# -------------------------------------------------------------------------------- the lesson


def networks():
    yield WORKED
    net = dr.Network(2, [dr.Dense(3, "tanh"), dr.Dense(3, "softmax")], "categorical_cross_entropy")
    X, Y = [[0.1, 0.4], [0.3, -0.2]], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    yield explain.trace(net, start_of(net), X, Y, optimizer="adam")
    one = dr.Network(1, [dr.Dense(1)])
    yield explain.trace(one, start_of(one), [[0.5]], [[1.0]], optimizer=dr.GradientDescent(0.01))


@pytest.mark.parametrize("trace", list(networks()), ids=str)
def test_the_lesson_has_seven_stops_with_a_prediction_and_its_check(opened, trace):
    page = opened(trace)
    page.click("#lesson-open")
    assert page.locator("#lesson-stops button").count() == 7
    for k in range(7):
        stop = page.evaluate(
            "(k) => (({ number, choices, right }) => ({ number, choices, right }))"
            "(Lesson.STOPS[k].of())",
            k,
        )
        verdict = page.locator("#lesson .verdict")
        page.click("#lesson >> text=Check")
        assert verdict.inner_text() in ("Choose one first.", "Type a number.")
        if stop.get("choices"):
            wrong = (stop["right"] + 1) % len(stop["choices"])
            page.check(f"#lesson [name=answer][value='{wrong}']")
            page.click("#lesson >> text=Check")
            assert verdict.inner_text().startswith("Not yet.")
            page.check(f"#lesson [name=answer][value='{stop['right']}']")
        else:
            page.fill("#lesson .predict input", str(stop["number"] + 2 + abs(stop["number"])))
            page.click("#lesson >> text=Check")
            assert verdict.inner_text().startswith("Not yet.")
            page.fill("#lesson .predict input", f"{stop['number']:.4g}")
        page.click("#lesson >> text=Check")
        assert verdict.inner_text().startswith("Right."), k
        assert page.locator("#lesson-stops .done").count() == k + 1
        if k < 6:
            page.click("text=Next stop →")
    page.click("text=Leave the lesson")
    assert not page.is_visible("#lesson")
    agree(page, trace.steps[0], 1e-9)


def test_the_lessons_predictions_are_not_given_away(opened):
    page = opened(WORKED)
    page.click("#lesson-open")
    assert set(page.locator("#substep .matrix").first.locator("td button").all_inner_texts()) == {
        "?"
    }
    assert page.locator("#network [data-key='Z[1]']").count() == 0
    page.click("text=Show the answer")
    assert "The activation then makes a =" in page.inner_text("#lesson .verdict")
    assert page.locator("#network [data-key='Z[1]']").count() > 0


# ----------------------------------------------------------------------------- without scripts


def test_without_scripts_the_recorded_step_is_there_as_tables(chromium, tmp_path):
    path = tmp_path / "page.html"
    explain.save_page(WORKED, path)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.inner_text("h1") == "The worked example"
    assert not page.is_visible("main")
    tables = page.locator(".static table")
    captions = [text.split("\n")[0] for text in tables.locator("caption").all_inner_texts()]
    assert captions[:3] == ["A[0] 5×2", "W[1] 4×5", "b[1] 4×1"]
    assert captions[-1] == "Eq. 3: new b[3] 1×1"
    cells = tables.last.locator("td").all_inner_texts()
    np.testing.assert_allclose(float(cells[0]), WORKED.steps[0].after[2]["b"][0, 0], rtol=1e-5)
    context.close()


def test_the_worked_examples_page_is_small():
    assert len(explain.page(WORKED).encode()) < 250_000
