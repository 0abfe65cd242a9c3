"""The explorer's map in Chromium: frames per second while it is moved, with made-up points.

    python benchmarks/map_frames.py [--points 100000]

The page is the real one, of any small store that is served; its points are replaced. Chromium draws without a
graphics card.
The first view of the page is timed, too: until it shows its heading, with an empty cache.
"""

import argparse
import shutil
from statistics import median

from playwright.sync_api import sync_playwright

MOVE = """async ([points, seconds]) => {
  const map = document.querySelector("canvas.points").map;
  const users = new Uint32Array(points), places = new Uint16Array(2 * points), group = new Uint8Array(points);
  for (let at = 0; at < points; at++) {
    const middle = (at % 40) / 40 * 2 * Math.PI, away = 9000 * Math.sqrt(-2 * Math.log(Math.random() || 1e-9)) / 2;
    const angle = 2 * Math.PI * Math.random();
    users[at] = points - at;
    places[2 * at] = Math.min(65535, Math.max(0, 32768 + 20000 * Math.cos(middle) + away * Math.cos(angle)));
    places[2 * at + 1] = Math.min(65535, Math.max(0, 32768 + 20000 * Math.sin(middle) + away * Math.sin(angle)));
    group[at] = at % 8;
  }
  map.use({ users, places, group });
  const drawing = [], began = performance.now(), first = map.frames;
  while (performance.now() - began < 1000 * seconds) {
    map.zoomBy(1 + 0.02 * Math.sin(performance.now() / 300));
    const start = performance.now();
    map.draw();
    drawing.push(performance.now() - start);
    await new Promise(requestAnimationFrame);
  }
  return { frames: drawing.length / ((performance.now() - began) / 1000), drawing: drawing.sort((a, b) => a - b) };
}"""


def main() -> None:
    """Print frames per second, and the time to draw one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--url", required=True, help="of a service, as http://127.0.0.1:8000/")
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for width, height, scale in ((1280, 860, 1), (390, 844, 2)):
            page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
            page.goto(f"{asked.url}#/map")
            page.wait_for_selector("aside ol.list li")
            found = page.evaluate(MOVE, [asked.points, 4])
            times = found["drawing"]
            print(
                f"{width} x {height}, {scale} pixel ratio, {asked.points:,} points: {found['frames']:.0f} frames/s;"
                f" one takes {median(times):.1f} ms, 95 % up to {times[int(0.95 * len(times))]:.1f} ms"
            )
            page.close()
        views = []
        for _ in range(7):
            page = browser.new_page()
            page.goto(asked.url)
            page.wait_for_selector("main h1")
            views.append(page.evaluate("performance.now()"))
            page.close()
        print(f"first view: median {median(views):.0f} ms, slowest {max(views):.0f} ms")
        browser.close()


if __name__ == "__main__":
    main()
