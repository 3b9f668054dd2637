"""`make screenshots`: every page as a picture, at three widths, light and dark.

    python tests/browser/screenshots.py [FOLDER [NAME ...]]

Writes FOLDER/NAME-WIDTH.png and NAME-WIDTH-dark.png, FOLDER being `screenshots` unless named, of
the pages that are named in support/site.py, or of all.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.chromium import chromium
from support.site import PRIVATE, PUBLIC, serving

WIDTHS = (1440, 768, 360)
SCHEMES = {"light": "", "dark": "-dark"}
# Pictures are loaded as the reader comes near them.
PAST_EVERYTHING = """async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
        scrollTo(0, y)
        await new Promise(requestAnimationFrame)
    }
    await Promise.all([...document.images].map(one => one.decode().catch(() => {})))
    scrollTo(0, 0)
}"""


def main(folder: Path, names: list[str]) -> None:
    """Write the pictures of the pages named `names` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        serving(Path(data) / "service") as site,
        chromium() as browser,
    ):
        for scheme, ending in SCHEMES.items():
            anybody, organiser = (browser.new_context(color_scheme=scheme) for _ in range(2))
            organiser.add_cookies([site.cookie])
            for name in names:
                page = (organiser if name in PRIVATE else anybody).new_page()
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 900})
                    page.goto(site.url + site.path(name), wait_until="networkidle")
                    page.evaluate(PAST_EVERYTHING)
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=folder / f"{name}-{width}{ending}.png", full_page=True)
                page.close()
    sys.stdout.write(f"{len(names) * len(WIDTHS) * len(SCHEMES)} pictures in {folder}\n")


if __name__ == "__main__":
    chosen = sys.argv[2:] or [*PUBLIC, *PRIVATE]
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"), chosen)
