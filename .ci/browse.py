"""Opens the demo of a run in a browser, and asks it for images.

python .ci/browse.py RUN PICTURE
"""

import re
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright

run, picture = sys.argv[1:]
server = subprocess.Popen(
    ["keras-genai", "demo", run, "--port", "7871"],
    stdout=subprocess.PIPE,
    text=True,
)
try:
    address = next(
        found[0]
        for line in server.stdout
        if (found := re.search(r"http://127\.0\.0\.1:\d+", line))
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(address)
        shown = page.locator(".pixels img").locator("visible=true").first
        shown.wait_for()
        before = shown.get_attribute("src")
        page.get_by_label("seed").locator("visible=true").first.fill("7")
        page.get_by_role("button", name="Generate").locator(
            "visible=true"
        ).click()
        page.wait_for_function(
            "before => [...document.querySelectorAll('.pixels img')]"
            ".every(image => image.src !== before)",
            arg=before,
        )
        page.screenshot(path=picture)
        print(f"{address}: other images for another seed")
        browser.close()
finally:
    server.terminate()
    server.wait()
