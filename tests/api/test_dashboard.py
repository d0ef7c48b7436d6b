"""The dashboard without a browser: who comes in, what a form needs, what every page says and sends along."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args, get_type_hints
from urllib.parse import parse_qsl

import httpx
import pytest
from sqlalchemy import event

from api.app import create_app
from api.auth.browser import BROWSER_SECONDS, COOKIE
from api.dashboard import app as dashboard
from api.dashboard.wording import ACTORS, EVENTS, PURPOSES
from api.database import migrate_database
from api.keys import Keys
from api.operator.drift import measure_new_figures
from api.people.service import create_operator
from api.security_events import Actor, SecurityEvent
from api.settings import Settings
from fl_server.registry import append_round, open_registry
from fl_server.release.publishing import publish_release
from fl_server.release.signing import ONLINE_ROLES, load_keys
from models.domain.consent import Purpose
from models.domain.order import SetRollout, parse_order
from models.domain.round import ReplyFate
from models.record import read_records
from simulations.half_a_year import fill_database, fill_registry, make_rounds
from tests.api.conftest import CHEAP, Api, SettableClock
from tests.api.people import PASSWORD, log_in, operator, sign_up

PAGES = (
    "",
    "calls",
    "drift",
    "model",
    "rounds",
    "releases",
    "audit",
    "releases/pause/confirm",
    "releases/resume/confirm",
    "releases/roll-back?version=1&rollout_percent=50",
)
FORMS = ("logout", "orders/rollout", "orders/pause")
NAME = "the-operator"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
VOID = {"meta", "input", "link", "br"}


class Elements(HTMLParser):
    """A page's elements, and whether they are nested soundly."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def values(self, name: str) -> list[str | None]:
        return [attributes["value"] for _, attributes in self.found if attributes.get("name") == name]


@dataclass
class Browser:
    """What a browser keeps: one cookie; it says of every form where it comes from."""

    api: Api
    cookie: str = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._send("GET", path, headers=headers)

    def post(self, path: str, form: dict[str, str], headers: dict[str, str] | None = None) -> httpx.Response:
        return self._send("POST", path, data=form, headers=SAME_SITE if headers is None else headers)

    def log_in(self, name: str = NAME, password: str = PASSWORD) -> httpx.Response:
        return self.post("login", {"name": name, "password": password})

    def _send(self, method: str, path: str, **content: object) -> httpx.Response:
        self.api.connection.cookies.clear()
        headers = {**content.pop("headers"), **({"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})}  # type: ignore[dict-item]
        answer = self.api.connection.request(
            method, f"/operator/{path}", headers=headers, follow_redirects=False, **content
        )
        if (handed := re.match(rf"{COOKIE}=([^;]*)", answer.headers.get("set-cookie", ""))) is not None:
            self.cookie = handed[1].strip('"')
        return answer


@pytest.fixture(scope="module")
def half_a_year(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database and a registry of eight weeks, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("world")
    settings = Settings(f"sqlite:///{folder}/api.db", folder / "registry", keys, SettableClock(), CHEAP)
    context = create_app(settings).state.context
    migrate_database(context.engine)
    create_operator(context, NAME, PASSWORD)
    fill_registry(folder, settings.now, rounds=8)
    fill_database(context.engine, settings.now, weeks=8)
    measure_new_figures(context)
    context.engine.dispose()
    return folder


@pytest.fixture
def api(fresh_api: Api) -> Api:
    return fresh_api


@pytest.fixture
def browser(api: Api) -> Browser:
    create_operator(api.app.state.context, NAME, PASSWORD)
    browser = Browser(api)
    assert browser.log_in().status_code == 303
    return browser


@pytest.fixture
def world(make_api: Callable[[str], Api], half_a_year: Path, tmp_path: Path) -> Browser:
    """A platform that has run for a while."""
    shutil.copytree(half_a_year, tmp_path, dirs_exist_ok=True)
    browser = Browser(make_api(f"sqlite:///{tmp_path}/api.db"))
    assert browser.log_in().status_code == 303
    return browser


def orders(api: Api) -> list[object]:
    folder = api.registry / "orders"
    return [parse_order(record) for record in read_records(folder).values()] if folder.is_dir() else []


def test_nobody_sees_a_page_without_a_session(api: Api) -> None:
    for cookie in ("", "nonsense", ".", f"{'0' * 32}.x", f"{'0' * 32}.{'A' * 43}"):
        for page in PAGES:
            answer = Browser(api, cookie).get(page)
            assert (answer.status_code, answer.headers["location"]) == (303, "/operator/login")


def test_an_access_token_opens_no_page(api: Api) -> None:
    token = operator(api).access
    for page in PAGES:
        assert Browser(api).get(page, Authorization=f"Bearer {token}").status_code == 303


def test_a_refresh_token_is_no_cookie_and_a_cookie_is_no_refresh_token(browser: Browser) -> None:
    other = Browser(browser.api, operator(browser.api, "another-one").refresh)
    assert other.get("").status_code == 303
    answer = browser.api.connection.post("/v1/people/sessions/refresh", json={"refresh_token": browser.cookie})
    assert answer.status_code == 401
    assert browser.get("").status_code == 303, "somebody has a copy of the cookie: the session ends"


def test_who_is_no_operator_gets_the_answer_of_a_wrong_password(api: Api) -> None:
    sign_up(api, "quiet-river")
    create_operator(api.app.state.context, NAME, PASSWORD)
    told = [Browser(api).log_in(*given) for given in (("quiet-river",), (NAME, "wrong"), ("nobody-at-all",))]
    assert [answer.status_code for answer in told] == [401, 401, 401]
    assert len({answer.text for answer in told}) == 1
    assert not any("set-cookie" in answer.headers for answer in told)


def test_logins_are_throttled(api: Api) -> None:
    answers = [Browser(api).log_in(password="wrong") for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 900


def test_the_cookie_is_for_this_host_and_for_no_script(browser: Browser) -> None:
    told = browser.log_in().headers["set-cookie"]
    assert told.startswith("__Host-")
    assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={BROWSER_SECONDS}"} <= set(told.split("; "))
    assert "Domain" not in told


def test_a_session_ends_after_eight_hours_with_a_logout_and_with_a_new_password(browser: Browser) -> None:
    api = browser.api
    page = Elements(browser.get("").text)
    assert browser.get("").status_code == 200
    api.clock.now += timedelta(seconds=BROWSER_SECONDS)
    assert browser.get("").status_code == 303
    browser.log_in()
    old = Browser(api, browser.cookie)
    assert browser.post("logout", {"form_token": str(page.values("form_token")[0])}).status_code == 403
    token = str(Elements(browser.get("").text).values("form_token")[0])
    assert browser.post("logout", {"form_token": token}).status_code == 303
    assert old.get("").status_code == 303
    browser.log_in()
    assert log_in(api, NAME).request("DELETE", "/v1/people/sessions").status_code == 204
    assert browser.get("").status_code == 303


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_page_is_sound_says_its_language_and_nothing_inline(world: Browser, language: str) -> None:
    for page in (*PAGES, "login", "nowhere"):
        require_sound(world, page, language)


def require_sound(world: Browser, page: str, language: str) -> None:
    answer = world.get(page, **{"Accept-Language": language})
    assert answer.status_code == (404 if page == "nowhere" else 200), answer.text
    elements = Elements(answer.text)
    assert ("html", {"lang": language}) in elements.found
    assert not [tag for tag, attributes in elements.found if tag == "style" or "style" in attributes]
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    scripts = [attributes.get("src") for tag, attributes in elements.found if tag == "script"]
    assert all(source and source.startswith("/operator/static/") for source in scripts)
    links = [a.get("href") or a.get("action") for tag, a in elements.found if tag in ("a", "form", "link")]
    assert all(link and re.match(r"/operator/|#", link) for link in links)
    assert "Text(" not in answer.text
    assert "in-en" not in answer.text
    assert elements.found.count(("h1", {"id": next(a["id"] for tag, a in elements.found if tag == "h1")})) == 1


def test_pages_say_other_words_in_korean(world: Browser) -> None:
    for page in PAGES:
        english, korean = (world.get(page, **{"Accept-Language": language}).text for language in ("en", "ko-KR"))
        assert english != korean
        assert re.search("[가-힣]{2}", korean)


def test_a_chosen_language_stays(browser: Browser) -> None:
    answer = browser.post("language", {"language": "ko", "page": "drift"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/operator/drift")
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    browser.api.connection.cookies.clear()
    told = browser.api.connection.get("/operator/login", headers={"Cookie": f"{name}={value}"})
    assert '<html lang="ko">' in told.text
    assert browser.post("language", {"language": "ko", "page": "//evil.example"}).status_code == 422


def test_every_answer_carries_the_policy(browser: Browser) -> None:
    for path in ("", "login", "nowhere", "static/charts.js", "static/page/style.css", "static/uplot/LICENSE.txt"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert policy == dashboard.CONTENT_SECURITY_POLICY
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
    assert browser.get("").headers["cache-control"] == "no-store"
    assert "content-security-policy" not in browser.api.connection.get("/healthz").headers


def test_no_file_beside_the_static_ones_is_served(browser: Browser) -> None:
    for path in ("static/../pages.py", "static/%2e%2e/pages.py", "static/page/../text.py", "templates/base.html.j2"):
        assert browser.get(path).status_code == 404


def test_the_vendored_library_is_the_one_that_was_published() -> None:
    folder = Path(dashboard.__file__).parent / "static/uplot"
    assert "MIT License" in (folder / "LICENSE.txt").read_text()
    assert "uPlot" in (folder / "uPlot.iife.min.js").read_text()[:300]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_no_other_site_can_send_a_form(world: Browser, headers: dict[str, str]) -> None:
    token, tag = (
        str(Elements(world.get("releases/pause/confirm").text).values(name)[0]) for name in ("form_token", "tag")
    )
    for form in ("login", "language", *FORMS):
        fields = {"name": NAME, "password": PASSWORD, "language": "ko", "page": "audit"}
        fields |= {"kind": "set-rollout" if form == "orders/rollout" else "pause", "form_token": token, "tag": tag}
        fields |= {"version": "3", "confirm": "3", "rollout_percent": "20"}
        assert world.post(form, fields, headers).status_code == 403, form
    assert orders(world.api) == []
    assert world.get("").status_code == 200


def test_an_old_browser_names_its_origin_instead(world: Browser) -> None:
    host = world.api.connection.base_url.host
    answer = world.post("language", {"language": "en", "page": "audit"}, {"Origin": f"http://{host}", "Host": host})
    assert answer.status_code == 303


@pytest.mark.parametrize("token", ["", "0" * 64, "ü" * 20])
def test_a_form_of_another_session_is_refused(world: Browser, token: str) -> None:
    tag = str(Elements(world.get("releases/pause/confirm").text).values("tag")[0])
    for form in FORMS:
        fields = {"form_token": token, "kind": "set-rollout" if form == "orders/rollout" else "pause", "tag": tag}
        fields |= {"version": "3", "confirm": "3", "rollout_percent": "20"}
        assert world.post(form, fields).status_code in (403, 422), form
    assert orders(world.api) == []


def confirmed(world: Browser, **changed: str) -> dict[str, str]:
    page = Elements(world.get("releases/set-rollout?version=3&rollout_percent=20").text)
    names = ("form_token", "tag", "kind", "version", "rollout_percent")
    return {name: str(page.values(name)[0]) for name in names} | {"confirm": "3"} | changed


def test_a_confirmed_rollout_becomes_an_order_and_stands_in_the_audit_log(world: Browser) -> None:
    answer = world.post("orders/rollout", confirmed(world))
    assert (answer.status_code, answer.headers["location"]) == (303, "/operator/releases")
    (order,) = orders(world.api)
    assert isinstance(order, SetRollout)
    assert (order.version, order.rollout_percent) == (3, 20)
    assert "pending" in world.get("releases").text
    assert "orders pending: 1" in world.get("").text
    log = world.get("audit").text
    assert all(said in log for said in ("rollout ordered", NAME, "release 3, 20% of devices"))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_audit_log_is_said_in_the_readers_language(browser: Browser, language: str) -> None:
    device = browser.api.enrolled(Purpose.TRAINING)
    device.withdraw(Purpose.TRAINING)
    page = browser.get("audit", **{"Accept-Language": language}).text
    said = {"en": ("consent withdrawn", "training", "command line"), "ko": ("동의 철회", "학습", "명령줄")}[language]
    assert all(words in page for words in said)
    assert not [slug for slug in SecurityEvent if "-" in slug and f"<td>{slug}</td>" in page]


def test_every_event_and_every_actor_has_words() -> None:
    assert set(EVENTS) == set(SecurityEvent)
    assert set(ACTORS) == set(get_args(get_type_hints(Actor)["kind"]))
    assert set(PURPOSES) == set(Purpose)


def test_the_address_without_its_slash_leads_to_the_dashboard(browser: Browser) -> None:
    answer = browser.api.connection.get("/operator", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/operator/")


@pytest.mark.parametrize("changed", [{"confirm": "2"}, {"confirm": ""}, {"rollout_percent": "101"}, {"kind": "pause"}])
def test_what_was_not_confirmed_or_is_out_of_range_is_not_ordered(world: Browser, changed: dict[str, str]) -> None:
    answer = world.post("orders/rollout", confirmed(world, **changed))
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert orders(world.api) == []


def test_an_order_under_a_state_that_changed_is_refused_with_a_page(world: Browser) -> None:
    first, second = confirmed(world), confirmed(world)
    assert world.post("orders/rollout", first).status_code == 303
    answer = world.post("orders/rollout", second)
    assert answer.status_code == 412
    assert "Look again" in answer.text
    assert len(orders(world.api)) == 1


def test_rounds_are_paused_after_a_page_that_says_what_it_does(world: Browser) -> None:
    releases = Elements(world.get("releases").text)
    actions = [attributes.get("action") for tag, attributes in releases.found if tag == "form"]
    assert "/operator/releases/pause/confirm" in actions
    assert "/operator/orders/pause" not in actions
    asked = world.get("releases/pause/confirm").text
    assert "No round begins any more" in asked
    page = Elements(asked)
    fields = {name: str(page.values(name)[0]) for name in ("form_token", "tag")}
    assert world.post("orders/pause", {**fields, "kind": "pause"}).status_code == 303
    assert [type(order).__name__ for order in orders(world.api)] == ["PauseRounds"]


def test_a_release_that_is_not_there_is_a_page_that_says_so(world: Browser) -> None:
    assert world.get("releases/roll-back?version=99&rollout_percent=5").status_code == 404
    assert world.get("releases/conjure?version=1&rollout_percent=5").status_code == 422


def test_pages_of_a_platform_on_which_nothing_happened_yet_are_there(browser: Browser) -> None:
    for page in PAGES[:-1]:
        assert browser.get(page).status_code == 200, page


def test_a_damaged_registry_is_a_page_that_says_so(world: Browser) -> None:
    (world.api.registry / "metadata/timestamp.json").write_text("{")
    for page in ("", "model", "releases"):
        answer = world.get(page)
        assert (answer.status_code, "registry" in answer.text) == (503, True)
    assert world.get("drift").status_code == 200


def test_charts_are_drawn_from_tables_that_hold_what_was_released(world: Browser) -> None:
    page = world.get("drift").text
    assert page.count('class="chart"') >= 6
    rows = re.findall(r'<td data-value="([-0-9.e]+)">', page)
    assert len(rows) > 50
    assert "alarm" in page


def test_no_page_reads_reports_or_more_than_a_page_of_the_audit_log(world: Browser) -> None:
    asked: list[tuple[str, object]] = []
    event.listen(world.api.engine, "before_cursor_execute", lambda *args: asked.append((args[2].lower(), args[3])))
    for page in PAGES:
        assert world.get(page).status_code == 200
    assert not [statement for statement, _ in asked if re.search(r"\b(from|join) reports\b", statement)]
    logs = [statement for statement, _ in asked if "from audit_log" in statement]
    assert logs
    assert all("limit" in statement for statement in logs)


@pytest.mark.parametrize(("language", "words"), [("en", "gave wrong shares"), ("ko", "잘못된 비밀 조각")])
def test_rounds_that_were_lied_to_or_ended_are_named_and_others_are_not(
    world: Browser, language: str, words: str
) -> None:
    assert words not in world.get("rounds", **{"Accept-Language": language}).text
    last = make_rounds(9)[-1]
    append_round(
        open_registry(world.api.registry), replace(last, wrong_shares=17, aborted="too few devices gave shares")
    )
    text = world.get("rounds", **{"Accept-Language": language}).text
    assert words in text
    assert "<b>9</b> 17" in text
    assert "<b>9</b> too few devices gave shares" in text


@pytest.mark.parametrize(
    ("language", "heads", "told"),
    [
        (
            "en",
            ["Round", "folded in", "no reply", "refused by the device", "could not be used"],
            "In all 28 replies were folded in, 5 devices did not reply, 4 refused, 3 could not be used",
        ),
        (
            "ko",
            ["라운드", "반영", "응답 없음", "기기가 거절", "사용 불가"],
            "전체 라운드에서 반영 28건, 응답 없음 5건, 기기가 거절 4건, 사용 불가 3건",
        ),
    ],
)
def test_devices_that_refused_have_a_column_and_words_of_their_own(
    world: Browser, language: str, heads: list[str], told: str
) -> None:
    fates = {ReplyFate.FOLDED: 28, ReplyFate.NO_REPLY: 5, ReplyFate.REFUSED: 4, ReplyFate.FAILED: 2}
    report = replace(make_rounds(1)[0], fates=fates | {ReplyFate.TOO_LARGE: 1})
    registry = open_registry(world.api.registry)
    for record in registry.rounds.iterdir():
        record.unlink()
    append_round(registry, report)
    text = world.get("rounds", **{"Accept-Language": language}).text
    table = text[text.index('id="replies-text"') :].partition("</table>")[0]
    assert re.findall(r"<th [^>]*>(.*?)</th>", table) == [*heads, "1"]
    assert re.findall(r"<td [^>]*>(.*?)</td>", table) == ["28", "5", "4", "3"]
    assert told in table


def test_what_a_release_notes_say_is_shown_as_text(world: Browser) -> None:
    registry, hostile = open_registry(world.api.registry), "<script>alert(1)</script>\"'&"
    keys = load_keys(registry.root.parent / "online", ONLINE_ROLES)
    publish_release(registry, keys, registry.root.parent / "exported", 9, notes=hostile)
    page = world.get("releases").text
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_login_page_quotes_nothing_back(api: Api) -> None:
    answer = Browser(api).log_in("<b>somebody</b>", "secret phrase of a person")
    assert "somebody" not in answer.text
    assert "secret" not in answer.text
    assert parse_qsl(answer.url.query.decode()) == []
