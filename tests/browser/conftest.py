"""A made-up report in headless Chromium, which fails a test on any message of the console and any request."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bindgram.cli.report import report

sys.path.insert(0, str(Path(__file__).parent))
from synthetic import Size, write_run

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Headless Chromium of the system."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path (make chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        # Pages are our own files: the sandbox needs rights that containers do not give.
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def write_report(tmp_path_factory) -> Callable[..., Path]:
    """Path of the report of a made-up run, written once per size."""
    made: dict[object, Path] = {}

    def write(n_experiments: int, **size: object) -> Path:
        key = (n_experiments, *size.items())
        if key not in made:
            folder = tmp_path_factory.mktemp("report")
            options = write_run(folder, Size(n_experiments, **size))
            result = CliRunner().invoke(report, [*options, "--output", f"{folder}/index.html"], catch_exceptions=False)
            assert result.exit_code == 0, result.output
            made[key] = folder / "index.html"
        return made[key]

    return write


@pytest.fixture
def artefacts(tmp_path) -> Path:
    """Where screenshots go: the folder that $ARTEFACTS names, else the test's own."""
    folder = Path(os.environ.get("ARTEFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., object]]:
    """Open a file in a window of so many pixels; at the end nothing must have been complained of or asked for."""
    complaints: list[str] = []
    pages = []

    def opened(path: Path, anchor: str = "", width: int = 1280, height: int = 900, **context: object) -> object:
        made = browser.new_context(viewport={"width": width, "height": height}, **context)
        made.set_default_timeout(120_000)  # a busy machine is no failure
        page = made.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        address = path.as_uri()
        page.on(
            "request", lambda asked: None if asked.url.partition("#")[0] == address else complaints.append(asked.url)
        )
        page.goto(address + anchor)
        pages.append(made)
        return page

    yield opened
    for made in pages:
        made.close()
    assert complaints == []
