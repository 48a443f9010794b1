"""The routing table: what is served, and that nothing else is."""

from __future__ import annotations

import re

import pytest

from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.ui import tokens
from gpsdream_app.ui.map.scheme import (
    CONTENT_SECURITY_POLICY,
    LEAFLET_FILES,
    ORIGIN,
    PAGE_FILES,
    PAGE_URL,
    DocumentKind,
    Documents,
    Router,
    leaflet_dir,
    page_router,
)
from gpsdream_app.ui.map.view import WATER


@pytest.fixture
def documents() -> Documents:
    return Documents("data")


@pytest.fixture
def router(documents: Documents) -> Router:
    return page_router(documents, lambda path: path.encode())


def test_every_file_of_the_page_is_served(router: Router) -> None:
    assert {path.name for path in (resources_dir() / "web").iterdir()} == set(PAGE_FILES)
    for name in PAGE_FILES:
        answer = router.answer(f"{ORIGIN}/{name}")
        assert answer is not None and answer.body
    for name in LEAFLET_FILES:
        answer = router.answer(f"{ORIGIN}/leaflet/{name}")
        assert answer is not None and answer.body == (leaflet_dir() / name).read_bytes()
    page = router.answer(f"{PAGE_URL}?theme=dark")
    assert page is not None and page.content_type == "text/html; charset=utf-8"


def test_what_the_page_names_is_served(router: Router) -> None:
    page = (resources_dir() / "web" / "map.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) == 15
    for name in named:
        assert router.answer(f"{ORIGIN}/{name}") is not None, name


@pytest.mark.parametrize(
    "url",
    [
        f"{ORIGIN}/../tokens.py",
        f"{ORIGIN}/%2e%2e/%2e%2e/etc/passwd",
        f"{ORIGIN}/..%2f..%2fetc/passwd",
        f"{ORIGIN}//etc/passwd",
        f"{ORIGIN}/leaflet/../../../__init__.py",
        f"{ORIGIN}/leaflet/leaflet-src.js",
        f"{ORIGIN}/leaflet/%00leaflet.js",
        f"{ORIGIN}/leaflet",
        f"{ORIGIN}/qt/../map.html",
        f"{ORIGIN}/data/city-1.json",
        f"{ORIGIN}/map.html/",
        f"{ORIGIN}/MAP.HTML",
        f"{ORIGIN}/",
        ORIGIN,
        "gpsdream://other/map.html",
        "gpsdream://map:80/map.html",
        "gpsdream://user@map/map.html",
        "https://map/map.html",
        "file:///etc/passwd",
    ],
)
def test_nothing_else_exists(router: Router, url: str) -> None:
    assert router.answer(url) is None


def test_a_document_takes_the_place_of_its_predecessor(router: Router, documents: Documents) -> None:
    first = documents.publish("city", b"1")
    other = documents.publish("coverage", b"2")
    second = documents.publish("city", b"3")
    assert router.answer(first) is None
    for url, body in ((second, b"3"), (other, b"2")):
        answer = router.answer(url)
        assert answer is not None and answer.body == body and answer.content_type == "application/json"


def test_a_document_is_taken_away_and_keeps_its_kind(router: Router, documents: Documents) -> None:
    picture = documents.publish("picture-a", b"\xff\xd8", kind=DocumentKind.JPEG)
    other = documents.publish("picture-ab", b"\xff\xd8", kind=DocumentKind.JPEG)
    answer = router.answer(picture)
    assert answer is not None and answer.content_type == "image/jpeg"
    documents.withdraw("picture")
    documents.withdraw("picture-a")
    assert router.answer(picture) is None and router.answer(other) is not None


def test_the_policy_allows_our_own_origin_only() -> None:
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY and "*" not in CONTENT_SECURITY_POLICY
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"


def test_widget_and_page_agree_on_the_colours() -> None:
    style = (resources_dir() / "web" / "map.css").read_text()
    light, dark = re.findall(r"--water: (#[0-9a-f]{6});", style)
    assert {"light": light, "dark": dark} == WATER
    for palette, theme in zip((tokens.LIGHT, tokens.DARK), style.split(":root[data-theme", 1), strict=True):
        for ours, theirs in (("surface", "raised"), ("text", "text"), ("muted", "text_muted"), ("accent", "accent")):
            colour = re.search(rf"--{ours}: (#[0-9a-f]{{6}});", theme)
            assert colour is not None and colour[1] == getattr(palette, theirs)
        land, pin = (re.search(rf"--{name}: (#[0-9a-f]{{6}});", theme) for name in ("land", "pin"))
        assert land and pin and tokens.contrast(land[1], pin[1]) >= 3, "a sign must stand out from the paper"


def test_our_scripts_never_write_html() -> None:
    for path in (resources_dir() / "web").glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", path.read_text())
