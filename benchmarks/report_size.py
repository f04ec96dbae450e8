"""Size of the report and time to write and to open it, for made-up runs of 1 to 500 experiments.

    python benchmarks/report_size.py --experiments 1 50 500

Opening is measured in headless Chromium without a cache: until the first content is seen, until all data of the
experiments are read (`DOMContentLoaded`), until all is loaded, and from a click on an experiment until its panel is
drawn; and the CPU time of the page's thread until then, which does not depend on what else the machine does.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from click.testing import CliRunner
from playwright.sync_api import Browser, sync_playwright

from bindgram.cli.report import report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/browser"))

from synthetic import Size, write_run

CLICK = """async () => {
  const start = performance.now();
  document.querySelector('.open').click();
  while (!document.querySelector('.panel')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""
TIMES = """async () => {
  const entry = performance.getEntriesByType('navigation')[0], painted = () => performance.getEntriesByType('paint');
  while (painted().length < 2) await new Promise(requestAnimationFrame);
  return [painted()[1].startTime, entry.domContentLoadedEventEnd, entry.loadEventEnd];
}"""


def opened(browser: Browser, path: Path, repeats: int) -> list[float]:
    """Medians over `repeats`, ms: first content, all read, loaded, CPU until then, panel after a click."""
    found = []
    for _ in range(repeats):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(300_000)
        session = context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(path.as_uri(), wait_until="load")
        counted = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
        found.append([*page.evaluate(TIMES), 1000 * counted["TaskDuration"], page.evaluate(CLICK)])
        context.close()
    return [sorted(column)[len(column) // 2] for column in zip(*found, strict=True)]


def main() -> None:
    """Print one line of a Markdown table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, nargs="+", required=True)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    heads = (
        "experiments",
        "size (MB)",
        "written (CPU s)",
        "first content (s)",
        "all read (s)",
        "loaded (s)",
        "CPU (s)",
    )
    print(f"| {' | '.join(heads)} | panel (s) |")
    print(f"|{'---|' * 8}")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for n in arguments.experiments:
            options = write_run(Path(folder) / str(n), Size(n))
            path, start = Path(folder) / f"{n}.html", time.process_time()
            CliRunner().invoke(report, [*options, "--output", str(path)], catch_exceptions=False)
            seconds = time.process_time() - start
            times = " | ".join(f"{ms / 1000:.2f}" for ms in opened(browser, path, arguments.repeats))
            print(f"| {n} | {path.stat().st_size / 1e6:.1f} | {seconds:.1f} | {times} |", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
