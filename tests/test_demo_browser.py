"""The demo as someone sees it: in a real browser, without a window."""

import shutil

import pytest
from demo_exports import GRADIO_WARNS, serving, unending, write_exports
from playwright.sync_api import expect, sync_playwright

from keras_genai.demo.served import load

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("demo"),
    GRADIO_WARNS,
    pytest.mark.skipif(
        BROWSER is None, reason="no Chromium: apt-get install chromium"
    ),
]
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
SERVED = ("conditional_gan", "vae", "denoiser", "pixelcnn", "gpt", "music")
# The sheet to draw on asks for sixty frames a second, each computed without a
# GPU; ten do, where nothing is to be seen moving.
FEW_FRAMES = """milliseconds_a_frame = 100;
requestAnimationFrame = draw =>
    setTimeout(() => draw(performance.now()), milliseconds_a_frame);
cancelAnimationFrame = clearTimeout;"""
# Everything there runs in a second or so, on a machine that is free.
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page, open, with what it asked for and complained of."""
    folder = tmp_path_factory.getbasetemp() / "demo_exports"
    exports = write_exports(folder)
    with (
        serving([exports[name] for name in SERVED]) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=FLAGS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(FEW_FRAMES)
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.requested, page.errors = [], []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type == "error"
                and page.errors.append((message.text, message.location))
            ),
        )
        page.goto(address)
        page.seed_of_a_text = unending(load(exports["gpt"]), 60)
        yield page
        browser.close()


def open_tab(page, *names):
    for name in names:
        page.get_by_role("tab", name=name).locator("visible=true").click()
        # A tab is built when it is opened first; until then the page does not
        # hear what is typed.
        page.evaluate(
            """() => new Promise(done => {
                let timer = setTimeout(done, 500);
                new MutationObserver(() => {
                    clearTimeout(timer);
                    timer = setTimeout(done, 500);
                }).observe(document.body, {subtree: true, childList: true});
            })"""
        )


def button(page, name):
    return page.get_by_role("button", name=name, exact=True).locator(
        "visible=true"
    )


def pictures(page):
    """The addresses of the pictures that are shown."""
    shown = page.locator(".pixels img").locator("visible=true")
    expect(shown.first).to_be_visible()
    return shown.evaluate_all("images => images.map(image => image.src)")


def wait_for_other_pictures(page, before):
    for _ in range(PATIENCE // 100):
        now = pictures(page)
        if now != before:
            return now
        page.wait_for_timeout(100)
    raise AssertionError("the pictures stayed as they were")


def test_labels_are_asked_for(page):
    open_tab(page, "conditional_gan", "Samples")
    any_label = pictures(page)
    assert len(any_label) == 16
    label = page.get_by_label("label").locator("visible=true")
    label.click()
    page.get_by_role("option", name="2", exact=True).click()
    expect(label).to_have_value("2")
    button(page, "Generate").click()
    twos = wait_for_other_pictures(page, any_label)
    assert len(twos) == 16


def test_a_slider_changes_the_image(page):
    open_tab(page, "conditional_gan", "Directions")
    (before,) = pictures(page)
    slider = page.get_by_role("slider", name="direction 1")
    slider = slider.locator("visible=true")
    slider.focus()
    for _ in range(12):
        slider.press("ArrowRight")
    slider.dispatch_event("pointerup")
    (moved,) = wait_for_other_pictures(page, [before])
    button(page, "Back to the sample").click()
    assert wait_for_other_pictures(page, [moved]) == [before]


def test_the_way_between_two_samples_moves(page):
    open_tab(page, "conditional_gan", "Between two")
    before = pictures(page)
    assert len(before) == 2  # a strip, and what moves
    page.get_by_label("seed of the last").locator("visible=true").fill("5")
    button(page, "Interpolate").click()
    assert len(wait_for_other_pictures(page, before)) == 2


def draw(page):
    """Draws a seven on the sheet."""
    canvas = page.locator("canvas").locator("visible=true").first
    box = canvas.bounding_box()

    def at(x, y):
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    page.mouse.move(*at(0.4, 0.3))
    page.mouse.down()
    page.mouse.move(*at(0.6, 0.3), steps=5)
    page.mouse.move(*at(0.5, 0.7), steps=5)
    page.mouse.up()


@pytest.mark.parametrize(
    ("model", "action", "latent_dim"),
    [("vae", "Reconstruct", 5), ("denoiser", "Clean", 5)],
)
def test_a_drawing_comes_back(page, model, action, latent_dim):
    open_tab(page, model, "Draw")
    draw(page)
    button(page, action).click()
    code = page.get_by_label("its code").locator("visible=true")
    expect(code).not_to_have_value("")
    assert len(code.input_value().split()) == latent_dim
    expect(page.locator(".pixels img").locator("visible=true")).to_have_count(3)
    assert len(pictures(page)) == 3


def test_a_drawing_is_completed(page):
    open_tab(page, "pixelcnn", "Complete")
    draw(page)
    button(page, "Complete").click()
    (strip,) = pictures(page)
    size = page.locator(f"img[src='{strip}']").locator("visible=true")
    width, height = size.evaluate(
        "image => [image.naturalWidth, image.naturalHeight]"
    )
    assert width > 6 * height  # six images of 8x12 side by side


def test_an_empty_prompt_is_refused_in_a_sentence(page):
    open_tab(page, "gpt")
    prompt = page.get_by_label("prompt").locator("visible=true")
    prompt.fill("")
    button(page, "Go on").click()
    toast = page.get_by_text("a text of 1 to 2000 characters")
    expect(toast.first).to_be_visible()
    prompt.fill("the ")


def test_text_streams(page):
    open_tab(page, "gpt")
    made = page.locator("textarea").locator("visible=true").nth(1)
    # The page may still be filling in its own prompt.
    prompt = page.get_by_label("prompt").locator("visible=true")
    prompt.fill("the ")
    expect(prompt).to_have_value("the ")
    seed = page.get_by_label("seed").locator("visible=true")
    seed.fill(str(page.seed_of_a_text))
    page.evaluate("milliseconds_a_frame = 15")
    seen = page.evaluate_handle("() => []")
    made.evaluate(
        """(area, seen) => {
            const look = () => {
                const length = area.value.length;
                if (seen.at(-1) !== length) seen.push(length);
                requestAnimationFrame(look);
            };
            look();
        }""",
        seen,
    )
    button(page, "Go on").click()
    page.wait_for_function("seen => seen.at(-1) > 30", arg=seen)
    lengths = [length for length in seen.json_value() if length > 0]
    assert len(lengths) > 1 and lengths == sorted(lengths)
    assert made.input_value().startswith("the ")
    page.evaluate("milliseconds_a_frame = 100")
    button(page, "Stop").click()


def test_music_is_heard_and_seen(page):
    open_tab(page, "music")
    button(page, "Compose").click()
    roll = page.locator("img[src*='piano_roll']").locator("visible=true")
    expect(roll).to_be_visible()
    assert roll.evaluate("image => image.naturalWidth") > 100
    with page.expect_download() as download:
        page.get_by_role("link", name="composed.mid").or_(
            page.locator("a[href*='composed.mid']")
        ).locator("visible=true").first.click()
    data = download.value.path().read_bytes()
    assert data[:4] == b"MThd"
    assert any(
        ".wav" in url and "gradio_api/file" in url for url in page.requested
    )


def test_nothing_left_the_machine_and_nothing_broke(page):
    page.wait_for_timeout(500)
    local = ("http://127.0.0.1:", "data:", "blob:http://127.0.0.1:")
    assert len(page.requested) > 20
    assert [url for url in page.requested if not url.startswith(local)] == []
    assert page.errors == []
