"""The explorer in a real Chromium: what a person does with it, by mouse and by keyboard."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.api.server_process import Server

KEY = "correct horse battery"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
VIEWS = (
    "#/",
    "#/user/ada",
    "#/item/dune",
    "#/try",
    "#/map?user=ada",
    "#/model",
    "#/versions?user=ada",
    "#/live",
    "docs",
)
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


def _program() -> str | None:
    return os.environ.get("RECSYS_BROWSER") or next(filter(None, map(shutil.which, PROGRAMS)), None)


pytestmark = pytest.mark.skipif(
    _program() is None,
    reason=f"no browser: none of {', '.join(PROGRAMS)} is installed, and RECSYS_BROWSER names none",
)


def _card(version: str) -> dict[str, str]:
    estimate = {"mean": 0.5, "low": 0.4, "high": 0.6}
    report = {
        "version": version,
        "outcome": {"light": "good", "verdict": {"text": "Accepted"}, "headline": "Half of them found something"},
        "gates": [{"name": "beats_popular", "passed": True, "detail": "als beats popular", "accepted": False}],
        "metric": "ndcg@20",
        "n_users": 8,
        "model": "als",
        "models": {"als": {"ndcg@20": estimate}, "popular": {"ndcg@20": {**estimate, "mean": 0.45}}},
        "intervals": {"confidence": 0.95},
    }
    return {
        "report.json": json.dumps(report),
        "report.html": "<!doctype html><title>Report</title>",
        "report.md": "#",
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory, publish) -> Iterator[tuple[Server, list[str]]]:
    """A service whose store has two versions, and an operator."""
    folder = tmp_path_factory.mktemp("browser")
    versions = [publish(folder / "store", seed=seed, pages=_card) for seed in (1, 2)]
    environ = {"RECSYS_ADMIN_KEY": KEY}
    server = Server(folder / "log", "--store", str(folder / "store"), "--poll-seconds", "0.2", environ=environ)
    server.wait_for_line("Application startup complete")
    yield server, versions
    server.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_program(), args=["--no-sandbox"])
        yield started
        started.close()


class Watch:
    """What pages asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.urls: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._say(message.type, message.text))
        page.on("request", lambda request: self.urls.append(request.url))

    def _say(self, kind: str, text: str) -> None:
        # The browser says so of every reply that is an error; that some are is what tests want.
        if kind in ("error", "warning") and not re.search(
            r"the server responded with a status of (401|404|409|422)", text
        ):
            self.complaints.append(text)


@pytest.fixture
def opened(browser: Browser, served: tuple[Server, list[str]]) -> Iterator[Callable[..., Page]]:
    """opened(place, key=True, **options): a page; at the end none has complained, or asked another host."""
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def open_page(place: str, *, key: bool = True, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}} | options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        if key:
            context.add_init_script(
                f"sessionStorage.getItem('recsys-key') ?? sessionStorage.setItem('recsys-key', '{KEY}')"
            )
        page = context.new_page()
        watches.append(Watch(page))
        page.goto(f"{served[0].url}/{place}")
        expect(page.locator("main h1")).to_be_visible(timeout=PATIENCE_MS)
        return page

    yield open_page
    for context in contexts:
        context.close()
    for watch in watches:
        assert watch.complaints == []
        assert watch.urls
        assert [url for url in watch.urls if not url.startswith((served[0].url, "data:"))] == []


def titles(page: Page, place: str = "main") -> list[str]:
    return page.locator(f"{place} ol.list .row-title a").all_inner_texts()


def asked(server: Server, command: str) -> list[str]:
    """The ids that a curl command of the page answers with."""
    program, url, option, body = shlex.split(command)
    assert (program, option) == ("curl", "--json")
    assert url.startswith(server.url)
    reply = httpx.post(url, content=body).raise_for_status()
    return [item["item_id"] for item in reply.json()["items"]]


def test_what_is_typed_is_found_though_it_is_misspelt(opened):
    page = opened("")
    box = page.get_by_role("combobox", name="Find an item")
    box.fill("let thare")
    option = page.get_by_role("option", name="Let There Be Rock")
    expect(option).to_be_visible()
    option.click()
    expect(page.locator("h1")).to_have_text("Let There Be Rock")
    assert page.url.endswith("#/item/AC%2FDC")


def test_everything_works_by_keyboard_alone(opened):
    page = opened("")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    box = page.get_by_role("combobox")
    expect(box).to_be_focused()
    page.keyboard.type("ad")
    expect(page.get_by_role("option").first).to_be_visible()
    assert box.get_attribute("aria-activedescendant")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("option", selected=True)).to_contain_text("ada")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("User ada")
    reason = page.locator(".reason").first
    for _ in range(30):
        if reason.evaluate("reason => reason === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(reason).to_be_focused()
    expect(page.locator("#history li.lit")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#history li a:focus")).to_have_count(1)


def test_a_user_is_shown_with_reasons_that_point_back(opened, served):
    page = opened("#/user/ada")
    assert set(titles(page, ".stays")) == {"solaris", "ubik", "neuromancer", "hyperion"}
    body = {"user_id": "ada", "k": 12, "explain": True}
    told = httpx.post(f"{served[0].url}/v1/recommendations", json=body).json()["items"]
    assert titles(page, ".second") == [item.get("title", item["item_id"]) for item in told]
    first = page.locator(".second ol.list > li").first.locator(".reason").first
    first.hover()
    expect(page.locator(f"#history li[data-item='{told[0]['reasons'][0]['item_id']}']")).to_have_class("lit")
    assert re.search(r"\d+ %", first.inner_text())
    expect(page.locator(".note.good")).to_contain_text("because this user had")


def test_a_basket_makes_a_list_and_the_curl_beside_it_the_same(opened, served):
    page = opened("#/item/dune")
    page.get_by_role("button", name="Put into the basket", exact=True).click()
    expect(page.locator("h1")).to_have_text("Try out")
    expect(page.locator(".second .reason").first).to_contain_text("Dune")
    page.get_by_role("slider", name="Variety").fill("0.5")
    expect(page.locator("pre.curl")).to_contain_text('"diversity":0.5')
    page.wait_for_timeout(100)
    ids = [each.get_attribute("data-item") for each in page.locator(".second ol.list > li").all()]
    assert ids == asked(served[0], page.locator("pre.curl").inner_text())
    page.get_by_role("button", name="Take out Dune").click()
    expect(page.locator(".second h2").first).to_contain_text("Popular items")


def test_more_and_less_like_this_change_the_list(opened, served):
    page = opened("#/try")
    page.get_by_label("more like this, less like that").check()
    more = page.get_by_role("combobox", name="More like this")
    more.fill("dune")
    page.get_by_role("option", name="Dune").click()
    expect(page.locator(".second h2").first).to_have_text("Items like these")
    page.get_by_role("combobox", name="Less like this").fill("ubik")
    page.get_by_role("option", name="ubik").click()
    expect(page.locator("pre.curl")).to_contain_text('"negative":["ubik"]')
    ids = [each.get_attribute("data-item") for each in page.locator(".second ol.list > li").all()]
    assert ids == asked(served[0], page.locator("pre.curl").inner_text())


def test_a_wrong_filter_is_told_at_its_field(opened):
    page = opened("#/try")
    field = page.get_by_role("textbox", name="Only items for which")
    field.fill("pric < 20")
    error = page.locator("#filter-error")
    expect(error).to_contain_text("price")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("price < 20")
    expect(error).to_be_hidden()
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_a_click_on_the_map_opens_the_item_under_it(opened, served):
    page = opened("#/map")
    canvas = page.locator("canvas.points")
    expect(page.locator("aside ol.list li")).to_have_count(10)
    places = httpx.get(f"{served[0].url}/v1/map?limit=10").json()["items"]
    drawn = canvas.evaluate("canvas => Array.from({length: 10}, (_, at) => canvas.map.placeOf(at))")
    apart = [
        min(abs(x - a) + abs(y - b) for other, (a, b) in enumerate(drawn) if other != at)
        for at, (x, y) in enumerate(drawn)
    ]
    number = max(range(10), key=lambda at: apart[at])
    canvas.click(position={"x": drawn[number][0], "y": drawn[number][1]})
    item = places[number]
    expect(page.locator("h1")).to_have_text(item.get("title", item["item_id"]))


def test_the_map_moves_by_keyboard_and_shows_a_users_path(opened):
    page = opened("#/map?user=ada")
    expect(page.locator("aside")).to_contain_text("User ada: 4 items")
    canvas = page.locator("canvas.points")
    canvas.focus()
    before = canvas.evaluate("canvas => canvas.map.placeOf(0)")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert canvas.evaluate("canvas => canvas.map.placeOf(0)") != before


def test_two_versions_stand_side_by_side_and_an_earlier_one_serves_again(opened, served):
    server, (first, second) = served
    page = opened("#/versions?user=bob")
    expect(page.locator(".even ol.list")).to_have_count(2)
    for place, version in enumerate((first, second)):
        path = f"{server.url}/v1/explorer/versions/{version}/list?user_id=bob&k=15"
        told = httpx.get(path, headers={"Authorization": f"Bearer {KEY}"}).json()["items"]
        ids = [
            each.get_attribute("data-item") for each in page.locator(".even ol.list").nth(place).locator("li").all()
        ]
        assert ids == [item["item_id"] for item in told]
    page.get_by_role("button", name="Let it serve …").click()
    page.get_by_role("button", name="Let it serve", exact=True).click()
    expect(page.locator("tr", has_text=first).locator(".badge.new")).to_have_text("serves")
    assert httpx.get(f"{server.url}/v1/model").json()["model_version"] == first


def test_what_needs_the_key_asks_for_it(opened):
    page = opened("#/versions", key=False)
    expect(page.locator("h1")).to_have_text("This needs a key")
    page.get_by_role("button", name="Enter a key").click()
    page.get_by_label("Key", exact=True).fill("not the right one")
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("h1")).to_have_text("This needs a key")
    page.get_by_role("button", name="Enter a key").click()
    page.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Versions")
    stored = page.evaluate("[JSON.stringify(localStorage), sessionStorage.getItem('recsys-key'), document.cookie]")
    assert stored == ["{}", KEY, ""]


def test_requests_can_be_tried_without_a_network(opened):
    page = opened("docs")
    page.locator("#get_item > summary").click()
    page.locator("#get_item").get_by_label("item_id").fill("AC/DC")
    page.locator("#get_item").get_by_role("button", name="Send").click()
    expect(page.locator("#get_item pre.reply")).to_contain_text('"title": "Let There Be Rock"')


def test_markup_in_a_title_stays_text(opened, served):
    title = "<img src=x onerror=alert(1)><b>Bold</b>"
    headers = {"Authorization": f"Bearer {KEY}"}
    httpx.patch(f"{served[0].url}/v1/items/solaris", json={"title": title}, headers=headers).raise_for_status()
    page = opened("#/item/solaris")
    expect(page.locator("h1")).to_have_text(title)
    assert page.locator("main img").count() == 0


def test_the_theme_is_kept(opened):
    page = opened("", color_scheme="light")
    page.get_by_role("button", name="Dark or light").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_no_page_has_a_serious_accessibility_finding_or_is_wider_than_a_phone(opened):
    page = opened("", color_scheme="light")
    axe = Axe()
    for view in VIEWS:
        if view == "docs":
            page.goto(page.url.split("#")[0] + view)
        else:
            page.evaluate("view => { document.querySelector('main').replaceChildren(); location.hash = view; }", view)
        expect(page.locator("main h1")).to_be_visible(timeout=PATIENCE_MS)
        page.wait_for_load_state("networkidle")
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            rules = {} if theme == "light" else {"runOnly": ["color-contrast"]}  # all else is the same in the dark
            found = axe.run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
            serious = [
                (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
                for each in found
                if each["impact"] in ("serious", "critical")
            ]
            assert serious == [], (view, theme)
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 860})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (view, width)
            if folder := os.environ.get("RECSYS_SHOTS"):
                name = re.sub(r"\W+", "-", view).strip("-") or "home"
                page.screenshot(path=Path(folder) / f"test-{name}-{width}.png", full_page=True)


def test_the_first_view_is_small(opened):
    page = opened("")
    sizes = page.evaluate("performance.getEntries().map(each => each.decodedBodySize ?? 0).reduce((a, b) => a + b)")
    assert 10_000 < sizes < 150_000
