from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gpsdream_app.domain.averages import AverageRequest, RegionPlaces
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import PictureRequest, Result, ResultKind
from gpsdream_app.library import store, trash
from gpsdream_app.library.paths import library_path, pictures_dir
from gpsdream_app.library.picture_metadata import save_png
from gpsdream_app.library.search import Cluster, Facets, Found, Query, cluster, match_expression
from gpsdream_app.library.store import Library
from gpsdream_app.library.thumbnails import SIDE, forget_thumbnail, prune_thumbnails, thumbnail, thumbnail_path

CHURCH = GenerateRequest(Place(40.7583, -73.9777, 29.0, "Cathédrale Saint-Patrick"), "a gothic church, winter")
AWNING = GenerateRequest(Place(40.7411, -73.9897, None, "Flatiron"), "awnings in winter", model="other")
NOWHERE = GenerateRequest(None, "a tower")
SQUARE = Region("Square", RegionKind.DRAWN, ((((40.74, -74.0), (40.74, -73.98), (40.76, -73.98)),),))
AVERAGE = AverageRequest((RegionPlaces(SQUARE, (Place(40.741, -73.985), Place(40.742, -73.983)), photos=3),), "tree")


@pytest.fixture
def library() -> Library:
    library = Library(library_path())
    yield library  # type: ignore[misc]
    library.close()


def add(library: Library, request: PictureRequest, number: int, *, series: str = "", save: bool = False) -> Result:
    """Add a picture, made on the day of October that its number is."""
    path = pictures_dir() / f"{number:04}.png"
    created = f"2026-10-{number:02}T10:00:00+00:00"
    result = Result(f"{number:032x}", "job", request, str(path), created, 1.0, "M", "ab" * 8, "0.1", 8, 8)
    result = replace(result, series=series)
    if save:
        save_png(Image.new("RGB", (300, 200), (number, 80, 70)), path, result)
    library.add(result)
    return result


def asked(library: Library, query: Query) -> list[str]:
    """Return the ids of what a query finds."""
    return [entry.result.id for entry in library.entries(library.search(query))]


@pytest.fixture
def four(library: Library) -> list[str]:
    requests = (CHURCH, AWNING, NOWHERE, AVERAGE)
    return [add(library, request, number + 1).id for number, request in enumerate(requests)]


def test_everything_is_found_newest_first_and_the_other_way_round(library: Library, four: list[str]) -> None:
    assert asked(library, Query()) == four[::-1]
    assert asked(library, Query(oldest_first=True)) == four
    assert not Query(oldest_first=True, trashed=True).narrows and Query(starred=True).narrows


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("winter", [1, 0]),
        ("WINTER church", [0]),
        ("win", [1, 0]),  # while it is being typed
        ("cathedrale", [0]),  # accents make no difference, and the place's name counts
        ("Cathe\u0301drale", [0]),
        ("winter tower", []),
        ("", [3, 2, 1, 0]),
        ("   ", [3, 2, 1, 0]),
        ("...", []),
        ('"winter" OR tower', []),
        ("prompt:winter", []),
        ("winter*", [1, 0]),
        ("-winter", [1, 0]),
        ("win\0ter", []),
        ("'; DROP TABLE results; --", []),
        ("\u202ewinter", [1, 0]),
        ("<b>winter</b>", []),
        ("NEAR(winter church)", []),
        ("x" * 1_000_000, []),
        ("winter " * 200_000, [1, 0]),
        ("\ud800", []),
    ],
)
def test_words_are_words_and_never_operators(library: Library, four: list[str], words: str, numbers: list[int]) -> None:
    assert asked(library, Query(words=words)) == [four[number] for number in numbers]
    assert library.facets().total == 4


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_can_be_searched_for_and_found(library: Library, text: str) -> None:
    add(library, replace(NOWHERE, prompt=text), 7)
    assert asked(library, Query(words=text)) in ([f"{7:032x}"], []) or not text.strip()
    words = match_expression(text)
    assert words.count('"') % 2 == 0


def test_filters_go_together(library: Library, four: list[str]) -> None:
    church, awning, nowhere, average = four
    assert asked(library, Query(kinds=frozenset({ResultKind.AVERAGE}))) == [average]
    assert asked(library, Query(kinds=frozenset())) == []
    assert asked(library, Query(box=Box(40.75, -74, 40.77, -73.9))) == [church]
    assert asked(library, Query(box=Box(40.70, -74, 40.80, -73.9), words="winter")) == [awning, church]
    assert asked(library, Query(region=SQUARE)) == [average, awning]
    assert asked(library, Query(region=SQUARE, words="tree")) == [average]
    assert asked(library, Query(model="other")) == [awning]
    assert asked(library, Query(since="2026-10-02", until="2026-10-04")) == [nowhere, awning]
    library.set_star([church, average, "unknown"], True)
    assert asked(library, Query(starred=True)) == [average, church]
    library.set_star([average], False)
    assert asked(library, Query(starred=True)) == [church]
    facets = library.facets()
    assert facets == Facets(4, {ResultKind.DRAW: 3, ResultKind.AVERAGE: 1}, {"fifth-avenue-1911": 3, "other": 1}, 1, 0)


def test_a_picture_keeps_number_and_star_when_it_is_added_again(library: Library, four: list[str]) -> None:
    number = library.number(four[0])
    library.set_star([four[0]], True)
    add(library, replace(CHURCH, prompt="a synagogue"), 1)
    assert library.number(four[0]) == number
    assert asked(library, Query(starred=True, words="synagogue")) == [four[0]]
    assert asked(library, Query(words="gothic")) == []
    assert library.number("unknown") is None
    assert library.entries([10**9, number or 0])[0].starred and len(library.entries([10**9, number or 0])) == 1


def test_the_trash_is_listed_restored_and_emptied(library: Library) -> None:
    results = [add(library, CHURCH, number, save=True) for number in (1, 2, 3)]
    for result in results[:2]:
        library.delete(result.id)
    assert asked(library, Query()) == [results[2].id]
    assert asked(library, Query(trashed=True)) == [results[1].id, results[0].id], "the last thrown away comes first"
    assert [bool(entry.deleted) for entry in library.entries(library.search(Query(trashed=True)))] == [True, True]
    assert library.facets().trashed == 2 and library.facets().total == 1
    assert library.trashed_path(results[0].id).exists()
    assert library.restore(results[0].id) == results[0]
    assert library.delete_for_good([results[1].id, results[2].id, "unknown"]) == 1, "only what is in the trash goes"
    assert asked(library, Query(trashed=True)) == [] and library.facets().total == 2
    assert Path(results[2].path).exists() and not library.trashed_path(results[1].id).exists()
    assert library._read("SELECT count(*) FROM words") == [(2,)]


def test_files_that_were_moved_are_found_by_their_bytes(library: Library, tmp_path: Path) -> None:
    results = [add(library, CHURCH, number, save=True) for number in (1, 2, 3)]
    # One without its parameters and under another ending, as only its bytes can tell what it is.
    plain = Path(results[0].path)
    Image.new("RGB", (8, 8)).save(plain)
    library.add(results[0])
    away = tmp_path / "away"
    (away / "deep").mkdir(parents=True)
    plain.rename(away / "deep" / "renamed.dat")
    Path(results[1].path).rename(away / "other name.png")
    (away / "foreign.png").write_bytes(b"no picture")
    (away / "same size.png").write_bytes(b"x" * (away / "deep" / "renamed.dat").stat().st_size)
    assert {result.id for result in library.missing()} == {results[0].id, results[1].id}
    again = library.find_again(away)
    assert {Path(result.path) for result in again} == {away / "deep" / "renamed.dat", away / "other name.png"}
    assert library.missing() == []
    assert library.find_again(away) == []
    found = library.get(results[0].id)
    assert found is not None and Path(found.path).name == "renamed.dat"


def test_a_picture_whose_bytes_changed_is_known_by_what_it_says(library: Library, tmp_path: Path) -> None:
    result = add(library, CHURCH, 1, save=True)
    Path(result.path).unlink()
    save_png(Image.new("RGB", (9, 9)), tmp_path / "sharpened.png", result)
    assert [Path(found.path).name for found in library.find_again(tmp_path)] == ["sharpened.png"]


def test_rows_of_older_versions_get_their_fingerprints(library: Library, tmp_path: Path) -> None:
    result, gone = add(library, CHURCH, 1, save=True), add(library, CHURCH, 2)
    library._write(lambda c: c.execute("UPDATE results SET file_hash = '', file_bytes = -1"))
    assert library.take_fingerprints(1) == 1
    assert library.take_fingerprints() == 1
    assert library.take_fingerprints() == 0, "what is not there is not looked for for ever"
    Path(result.path).rename(tmp_path / "renamed.dat")
    assert [found.id for found in library.find_again(tmp_path)] == [result.id]
    assert [lost.id for lost in library.missing()] == [gone.id]


def test_a_lost_library_gets_stars_and_trash_back(library: Library) -> None:
    results = [add(library, CHURCH, number, save=True) for number in (1, 2, 3)]
    library.set_star([results[0].id, results[2].id], True)
    library.delete(results[1].id)
    library.close()
    for path in library.path.parent.glob("library.sqlite*"):
        path.unlink()
    again = Library(library.path)
    assert again.facets().total == 0
    rebuilt = again.rebuild()
    assert (rebuilt.added, rebuilt.followed, rebuilt.missing) == (2, 0, 0)
    assert asked(again, Query(starred=True)) == [results[2].id, results[0].id]
    assert asked(again, Query(trashed=True)) == [results[1].id]
    restored = again.restore(results[1].id)
    assert restored is not None and Path(restored.path).exists() and restored.request == CHURCH
    assert again.rebuild() == store.Rebuilt(0, 0, 0)
    again.close()


@pytest.mark.parametrize("text", ["{broken", '{"a": 1}', "[1, null, []]", "[" * 100_000])
def test_a_file_of_stars_that_makes_no_sense_is_left_alone(library: Library, text: str) -> None:
    add(library, CHURCH, 1, save=True)
    (library.path.parent / store.STARS_FILE).write_text(text)
    assert library.rebuild().missing == 0
    assert library.facets().starred == 0


def test_a_library_of_the_second_version_gets_its_words(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "library.sqlite"
    connection = sqlite3.connect(path)
    for name in ("request_key_of", "model_hash_of"):
        connection.create_function(name, 1, lambda _: "")
    for script in store.MIGRATIONS[:2]:
        connection.executescript(script)
    result = Result("1" * 32, "job", CHURCH, "/no", "2026-10-01", 1.0, "M", "ab" * 8, "0.1", 8, 8)
    for identifier, data in (("1" * 32, json.dumps(result.to_dict())), ("x", "{broken")):
        connection.execute(
            "INSERT INTO results (id, job_id, created, path, prompt, model, data)"
            " VALUES (?, 'j', '2026', '/', ?, '', ?)",
            (identifier, CHURCH.prompt, data),
        )
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    library = Library(path)
    assert asked(library, Query(words="gothic patrick")) == [result.id]
    assert len(library.search(Query(words="gothic"))) == 2 and len(library.entries(range(5))) == 1
    library.close()


def test_pictures_gather_where_they_lie_close_together() -> None:
    lat = np.array([40.0, 40.0001, 40.0002, -33.0, np.nan, 90.0])
    lon = np.array([-74.0, -74.0001, -74.0002, 151.0, np.nan, 180.0])
    found = Found(np.arange(10, 16), lat, lon)
    clusters = cluster(found, 10.0)
    assert sorted((c.count, c.number) for c in clusters) == [(1, 13), (1, 15), (3, 10)]
    assert clusters[0].lat == pytest.approx(40.0001) and clusters[0].lon == pytest.approx(-74.0001)
    assert sum(c.count for c in cluster(found, 0.0)) == 5
    assert len(cluster(found, 22.0)) == 5, "near enough every picture stands alone"
    assert cluster(Found(), 3.0) == []
    assert cluster(Found(np.array([4]), np.array([1.0]), np.array([2.0])), 5) == [Cluster(1.0, 2.0, 1, 4)]


def test_the_places_of_what_is_found(library: Library, four: list[str]) -> None:
    found = library.places(Query())
    assert len(found) == 4 and np.isnan(found.lat[1]) and found.lat[3] == 40.7583
    assert library.search(Query()).tolist() == found.numbers.tolist()


def test_thumbnails_are_made_once(library: Library, tmp_path: Path) -> None:
    result = add(library, CHURCH, 1, save=True)
    data = thumbnail(result.id, Path(result.path), tmp_path)
    with Image.open(thumbnail_path(result.id, tmp_path)) as small:
        assert small.format == "JPEG" and small.size == (SIDE, round(SIDE * 2 / 3))
    Path(result.path).unlink()
    assert thumbnail(result.id, Path(result.path), tmp_path) == data, "the copy outlives the picture's way"
    thumbnail_path(result.id, tmp_path).write_bytes(data[:40])
    assert thumbnail(result.id, Path(result.path), tmp_path) == b"", "half a file is no picture"
    forget_thumbnail(result.id, tmp_path)
    assert not thumbnail_path(result.id, tmp_path).exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\0b", "x" * 5000, "C:\\con", "\ud800", ""])
def test_no_id_leads_a_thumbnail_astray(tmp_path: Path, name: str) -> None:
    path = thumbnail_path(name, tmp_path)
    assert path.parent.parent == tmp_path and len(path.name) < 40
    assert thumbnail(name, tmp_path / "missing.png", tmp_path) == b""


def test_the_oldest_thumbnails_give_way(tmp_path: Path) -> None:
    import os

    picture = tmp_path / "picture.png"
    Image.new("RGB", (30, 30)).save(picture)
    base = tmp_path / "thumbnails"
    sizes = [len(thumbnail(str(number), picture, base)) for number in range(4)]
    for number in range(4):
        os.utime(thumbnail_path(str(number), base), (number, number))
    assert prune_thumbnails(sum(sizes[2:]), base) == 2
    assert [thumbnail_path(str(number), base).exists() for number in range(4)] == [False, False, True, True]
    assert prune_thumbnails(0, tmp_path / "nowhere") == 0


def test_a_trash_lists_only_pictures_of_ours(tmp_path: Path) -> None:
    (tmp_path / f"{1:032x}.png").touch()
    (tmp_path / "holiday.png").touch()
    assert trash.trashed_files(tmp_path) == [tmp_path / f"{1:032x}.png"]
    assert trash.trashed_files(tmp_path / "nowhere") == []
