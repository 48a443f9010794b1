"""A map as one HTML file that asks nobody for anything: folium's, with Leaflet inside and the city's own base map.

What comes from people (names, words, notes) reaches the page as JSON and is shown as text, never as HTML.
"""

from __future__ import annotations

import base64
import functools
import html
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folium
from branca.element import Element, Figure, MacroElement
from folium.template import Template

from gpsdream_app.domain.averages import AverageRequest
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.regions import Region
from gpsdream_app.domain.results import Result
from gpsdream_app.domain.words import distance_words
from gpsdream_app.export.results import (
    NO_PLACE,
    SILENT,
    Watch,
    Written,
    data_uri,
    how,
    left_out,
    nothing_left,
    some,
    thumbnails,
    title_of,
)
from gpsdream_app.geo.city import CityMap
from gpsdream_app.geo.geojson import region_geometry
from gpsdream_app.geo.regions import centre, clean_name
from gpsdream_app.library.paths import storage_error

# Nothing may be fetched, whatever stands in the page: a browser that keeps this asks nobody.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
MAX_RESULTS = 2000
# Up to so many results, pictures have so many pixels on their longer side, so that the page stays under some 50 MB.
PICTURE_PIXELS = ((100, 512), (400, 320), (MAX_RESULTS, 192))
FAR_METRES = 150.0  # from here on a picture's frame is dashed: the model has seen no photo near
# Drawn in this order; a city may lack some.
BASE = {
    "land": {"color": "#c9c2b4", "weight": 1, "fillColor": "#f4f0e7", "fillOpacity": 1},
    "parks": {"stroke": False, "fillColor": "#dbe3cb", "fillOpacity": 1},
    "water": {"color": "#b9c8d0", "weight": 1, "fillColor": "#d3dee4", "fillOpacity": 1},
    "bridges": {"color": "#c4bcae", "weight": 2, "fill": False},
    "streets": {"color": "#ddd6c8", "weight": 1, "fill": False},
}
MAJOR = {"color": "#cfc6b4", "weight": 2.5, "fill": False}
STYLE = """
html, body { margin: 0; height: 100%; background: #d3dee4; }
body { font: 15px/1.4 Georgia, "Times New Roman", serif; color: #20201e; }
.leaflet-container { background: #d3dee4; font: inherit; }
.leaflet-control-attribution { font-size: 12px; }
.plate { background: #fffdf8; border: 1px solid #c8c2b8; border-radius: 3px; }
.plate { box-shadow: 0 1px 4px rgba(40, 30, 10, .35); }
.standing { padding: 3px; box-sizing: border-box; cursor: pointer; }
.standing img { display: block; width: 100%; height: 100%; object-fit: cover; }
.standing.unseen { border-style: dashed; border-color: #20201e; }
.standing:focus-visible { outline: 3px solid #9a5b00; }
.card { max-width: 260px; overflow-wrap: anywhere; }
.card img { display: block; width: 256px; max-width: 100%; border: 1px solid #c8c2b8; }
.card h2 { font-size: 18px; font-weight: normal; margin: 8px 0 0; }
.card p { margin: 2px 0 0; color: #5c5650; }
.card .how { font-style: italic; font-size: 13px; margin-top: 6px; }
.standing { position: relative; }
.count { position: absolute; right: -8px; top: -8px; min-width: 20px; padding: 0 5px; box-sizing: border-box; }
.count { font: bold 12px/20px Georgia, serif; text-align: center; color: #fffdf8; background: #8a5200; }
.count { border-radius: 10px; }
.way { position: absolute; inset: 0; pointer-events: none; }
.way::before { content: ""; position: absolute; left: 50%; bottom: 100%; margin: 0 0 3px -7px; }
.way::before { border: 7px solid transparent; border-top-width: 0; border-bottom: 11px solid #8a5200; }
.turn { display: flex; align-items: center; gap: 8px; margin-top: 8px; }
.turn button { font: inherit; min-width: 40px; min-height: 32px; color: #20201e; background: #f4f0e7; cursor: pointer; }
.turn button { border: 1px solid #c8c2b8; border-radius: 3px; }
.turn button:focus-visible { outline: 3px solid #9a5b00; }
.heading { padding: 8px 14px; max-width: min(420px, 60vw); overflow-wrap: anywhere; }
.heading h1 { font-size: 20px; font-weight: normal; margin: 0; }
.heading p { margin: 2px 0 0; color: #5c5650; font-size: 13px; font-style: italic; }
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A picture that stands in its region.

    Attributes:
        title: name of the region.
        subtitle: a second line, such as the number of photos.
        region: where it stands.
        picture: a data URI.
        seen: False marks a region without photos.
        details: how it was made.
    """

    title: str
    subtitle: str
    region: Region
    picture: str
    seen: bool = True
    details: str = ""


class _Map(folium.Map):  # type: ignore[misc]
    """folium's map without the libraries that it would fetch; Leaflet stands in the page itself."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - folium's own name and kind
    default_css: list[tuple[str, str]] = []  # noqa: RUF012


class _Pictures(MacroElement):  # type: ignore[misc]
    """The regions, the pictures in them and the heading, built as elements with text in them."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (function () {
            "use strict";
            const map = {{ this._parent.get_name() }};
            const {items, title, note} = JSON.parse({{ this.data }});
            function element(tag, className, text) {
                const made = document.createElement(tag);
                if (className) { made.className = className; }
                if (text) { made.textContent = text; made.dir = "auto"; }
                return made;
            }
            function picture(item) {
                const made = element("img");
                made.src = item.picture;
                made.alt = item.title;
                made.draggable = false;
                return made;
            }
            function card(item) {
                const made = element("div", "card");
                made.append(picture(item), element("h2", "", item.title), element("p", "", item.subtitle),
                            element("p", "how", item.details));
                return made;
            }
            const side = () => [36, 36, 52, 76, 104, 132][Math.max(0, Math.min(5, Math.floor(map.getZoom()) - 10))];
            const bounds = L.latLngBounds([]);
            const marks = [];
            map.attributionControl.setPrefix(false);
            for (const item of items) {
                const style = {color: "#9a5b00", weight: 1.5, fillColor: "#c98a2b", fillOpacity: 0.12};
                if (!item.seen) { style.dashArray = "4 5"; }
                const area = L.geoJSON(item.geometry, {style: style, interactive: true}).addTo(map);
                area.bindPopup(() => card(item), {maxWidth: 290});
                if (item.bounds) { bounds.extend(item.bounds); }
                const mark = L.marker(item.centre, {riseOnHover: true, icon: L.divIcon({className: ""})});
                mark.bindPopup(() => card(item), {maxWidth: 290});
                mark.addTo(map);
                marks.push([mark, item]);
            }
            function stand() {
                const size = side();
                for (const [mark, item] of marks) {
                    const frame = element("div", "plate standing" + (item.seen ? "" : " unseen"));
                    frame.style.width = frame.style.height = size + "px";
                    frame.append(picture(item));
                    mark.setIcon(L.divIcon({className: "", html: frame, iconSize: [size, size]}));
                    mark.getElement().setAttribute("aria-label", item.title);
                }
            }
            map.on("zoomend", stand);
            const Heading = L.Control.extend({onAdd: function () {
                const made = element("div", "plate heading");
                made.append(element("h1", "", title), element("p", "", note));
                L.DomEvent.disableClickPropagation(made);
                return made;
            }});
            new Heading({position: "topright"}).addTo(map);
            if (bounds.isValid()) { map.fitBounds(bounds, {padding: [50, 50], maxZoom: 16, animate: false}); }
            stand();
        })();
        {% endmacro %}
        """
    )

    def __init__(self, items: list[dict[str, Any]], title: str, note: str) -> None:
        super().__init__()
        self._name = "Pictures"
        self.data = _literal({"items": items, "title": title, "note": note})


class _Results(MacroElement):  # type: ignore[misc]
    """Pictures at their places, those that would lie on each other as one with their number; all text is text."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (function () {
            "use strict";
            const map = {{ this._parent.get_name() }};
            const {items, title, note} = JSON.parse({{ this.data }});
            const nearest = 18;
            function element(tag, className, text) {
                const made = document.createElement(tag);
                if (className) { made.className = className; }
                if (text) { made.textContent = text; made.dir = "auto"; }
                return made;
            }
            function picture(item) {
                const made = element("img");
                made.src = gpsdreamPictures[item.picture];
                made.alt = item.title;
                made.draggable = false;
                return made;
            }
            function card(group) {
                const made = element("div", "card");
                let shown = 0;
                function show() {
                    const item = group[shown];
                    const parts = [picture(item), element("h2", "", item.title), element("p", "", item.subtitle),
                                   element("p", "how", item.details)];
                    if (group.length > 1) {
                        const row = element("div", "turn");
                        for (const [word, name, step] of [["‹", "Previous", -1], ["›", "Next", 1]]) {
                            const button = element("button", "", word);
                            button.setAttribute("aria-label", name);
                            button.onclick = function () {
                                shown = (shown + step + group.length) % group.length;
                                show();
                                made.querySelectorAll(".turn button")[step < 0 ? 0 : 1].focus();
                            };
                            row.append(button);
                        }
                        row.insertBefore(element("span", "", (shown + 1) + " of " + group.length), row.lastChild);
                        parts.push(row);
                    }
                    made.replaceChildren(...parts);
                }
                show();
                L.DomEvent.disableClickPropagation(made);
                return made;
            }
            function spread(group) {
                return L.latLngBounds(group.map(item => item.at));
            }
            function open(group) {
                const bounds = spread(group);
                const apart = bounds.getNorthWest().distanceTo(bounds.getSouthEast()) > 2;  // metres
                if (apart && map.getZoom() < nearest) {
                    map.fitBounds(bounds, {padding: [90, 90], maxZoom: nearest, animate: false});
                } else {
                    const shape = {maxWidth: 290, minWidth: 258, autoPanPaddingTopLeft: [20, 90]};
                    L.popup(shape).setLatLng(group[0].at).setContent(card(group)).openOn(map);
                }
            }
            const side = () => [40, 40, 52, 64, 76, 92][Math.max(0, Math.min(5, Math.floor(map.getZoom()) - 11))];
            const all = L.latLngBounds([]);
            map.attributionControl.setPrefix(false);
            for (const item of items) {
                all.extend(item.at);
                if (item.geometry) {
                    const style = {color: "#9a5b00", weight: 1.5, fillColor: "#c98a2b", fillOpacity: 0.12};
                    L.geoJSON(item.geometry, {style: style, interactive: false}).addTo(map);
                }
            }
            let marks = [];
            function stand() {
                const size = side(), groups = [], room = size * 1.15;
                for (const item of items) {
                    const point = map.project(item.at, map.getZoom());
                    const near = groups.find(
                        other => Math.abs(other.x - point.x) < room && Math.abs(other.y - point.y) < room
                    );
                    if (near) { near.items.push(item); } else { groups.push({x: point.x, y: point.y, items: [item]}); }
                }
                marks.forEach(mark => mark.remove());
                marks = [];
                for (const {items: group} of groups) {
                    const item = group[0], frame = element("div", "plate standing" + (item.seen ? "" : " unseen"));
                    frame.style.width = frame.style.height = size + "px";
                    frame.append(picture(item));
                    if (group.length > 1) {
                        frame.append(element("span", "count", String(group.length)));
                    } else if (item.heading !== null) {
                        const way = element("span", "way");
                        way.style.transform = "rotate(" + item.heading + "deg)";
                        frame.append(way);
                    }
                    const icon = L.divIcon({className: "", html: frame, iconSize: [size, size]});
                    const mark = L.marker(item.at, {riseOnHover: true, icon: icon});
                    mark.on("click", () => open(group));
                    mark.on("keypress", event => { if (event.originalEvent.key === "Enter") { open(group); } });
                    mark.addTo(map);
                    const name = group.length > 1 ? group.length + " pictures: " + item.title : item.title;
                    mark.getElement().setAttribute("aria-label", name);
                    marks.push(mark);
                }
            }
            map.on("zoomend", stand);
            const Heading = L.Control.extend({onAdd: function () {
                const made = element("div", "plate heading");
                made.append(element("h1", "", title), element("p", "", note));
                L.DomEvent.disableClickPropagation(made);
                return made;
            }});
            new Heading({position: "topright"}).addTo(map);
            if (all.isValid()) { map.fitBounds(all, {padding: [70, 70], maxZoom: 16, animate: false}); }
            stand();
        })();
        {% endmacro %}
        """
    )

    def __init__(self, items: list[dict[str, Any]], title: str, note: str) -> None:
        super().__init__()
        self._name = "Results"
        self.data = _literal({"items": items, "title": title, "note": note})


def export_web_map(
    results: Sequence[Result],
    out: Path,
    city: CityMap,
    *,
    title: str = "",
    note: str = "",
    watch: Watch = SILENT,
) -> Written:
    """Write the results that have a place as a map to share: one HTML file that asks nobody for anything.

    Args:
        results: 1 to 2,000. Those without a place, or whose files cannot be read, are left out.
        out: the HTML file; one that is there is replaced.
        city: its own layers are the base map.
        title: of the page; empty takes the city's name.
        note: below the title; empty says how many pictures there are and that a model drew them.
        watch: told of every picture.

    Raises:
        GPSDreamError: of kind `bad_request` if nothing can be shown, or for too many; `disk_full` if the disk refuses.
        ExportCancelled: if it was asked to stop; nothing is written then.
    """
    some(results)
    if len(results) > MAX_RESULTS:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST,
            f"A web map holds up to {MAX_RESULTS:,} pictures, not {len(results):,}.",
            "Choose fewer, or export a KMZ.",
        )
    written = Written([out])
    pixels = next(pixels for most, pixels in PICTURE_PIXELS if len(results) <= most)
    items: list[dict[str, Any]] = []
    pictures: list[str] = []
    for _, result in watch.over(results):
        place = result.request.place
        if place is None:
            written.left_out.append(left_out(result, NO_PLACE))
            continue
        try:
            pictures.append(data_uri(*thumbnails(result, pixels)))
        except GPSDreamError as error:
            written.left_out.append(left_out(result, error.failure.message))
            continue
        metres, request = result.photo_distance, result.request
        items.append(
            {
                "title": title_of(result),
                "subtitle": "" if metres is None else f"{distance_words(metres)} from the nearest photo",
                "details": how(result),
                "picture": len(pictures) - 1,
                "seen": metres is None or metres < FAR_METRES,
                "at": [place.lat, place.lon],
                "heading": place.heading,
                "geometry": region_geometry(request.regions[0].region) if isinstance(request, AverageRequest) else None,
            }
        )
    if not items:
        raise nothing_left(written, "shown on a map")
    count = f"{len(items):,} pictures" if len(items) > 1 else "1 picture"
    said = note or f"{count}, drawn by a model; no photograph{'s' if len(items) > 1 else ''}."
    heading = _text(title or city.name)
    _save(_page(_Results(items, heading, _text(said)), city, heading), out, pictures)
    return written


def write_web_map(standing: Sequence[Standing], out: Path, city: CityMap, *, title: str, note: str) -> None:
    """Write the map, whole or not at all.

    Args:
        standing: the pictures, 1 or more.
        out: the HTML file to write.
        city: its own layers are the base map, its attribution stands in the corner.
        title: of the page.
        note: below the title.

    Raises:
        GPSDreamError: of kind `disk_full` if the disk refuses, `internal` if Leaflet is not installed.
    """
    pictures = _Pictures([_item(one) for one in standing], _text(title), _text(note))
    _save(_page(pictures, city, _text(title)), out)


def _save(text: str, out: Path, pictures: Sequence[str] = ()) -> None:
    """Write a page, and into its head the pictures that it names by their numbers.

    They do not pass through the templates: what is tens of megabytes long would hold up the window's thread there.
    """
    before, after = text.split("</head>", 1)
    try:
        with whole_file(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(before)
            if pictures:
                file.write("<script>\nconst gpsdreamPictures = [\n")
                for picture in pictures:
                    file.write(f'"{picture}",\n')
                file.write("];\n</script>\n")
            file.write("</head>")
            file.write(after)
    except OSError as error:
        raise storage_error(error, out.parent, "the map was not saved") from error


def _page(pictures: MacroElement, city: CityMap, title: str) -> str:
    page = _Map(
        location=list(city.centre),
        zoom_start=round(city.zoom),
        tiles=None,
        prefer_canvas=True,
        control_scale=True,
        max_zoom=18,
        min_zoom=9,
        zoom_snap=0.5,
    )
    page._id = "gpsdream"
    figure: Figure = page.get_root()
    # folium's figure writes its title as it is.
    figure.title = html.escape(title)
    for number, part in enumerate(
        (
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />',
            '<meta name="generator" content="GPSDream" />',
            f"<style>{_leaflet_css()}</style>",
            f"<script>{_leaflet_js()}</script>",
            f"<style>{STYLE}</style>",
        )
    ):
        # Whatever stands in them, it is no template.
        figure.header.add_child(Element(f"{{% raw %}}{part}{{% endraw %}}"), name=f"own_{number}")
    for layer, style in BASE.items():
        features = _features(city, layer)
        if layer == "streets":
            _base(page, "streets", [f for f in features if not f["properties"]["major"]], style)
            _base(page, "avenues", [f for f in features if f["properties"]["major"]], MAJOR)
        else:
            _base(page, layer, features, style)
    page.add_child(_Attribution(city.attribution))
    page.add_child(pictures)
    return str(figure.render())


class _Attribution(MacroElement):  # type: ignore[misc]
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this._parent.get_name() }}.attributionControl.addAttribution(JSON.parse({{ this.data }}));
        {% endmacro %}
        """
    )

    def __init__(self, text: str) -> None:
        super().__init__()
        self._name = "Attribution"
        # Leaflet takes it for HTML.
        self.data = _literal(html.escape(_text(text)))


def _base(page: Any, name: str, features: list[dict[str, Any]], style: dict[str, Any]) -> None:
    if not features:
        return
    layer = folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        name=name,
        style_function=lambda _: style,
        control=False,
        interactive=False,
        smooth_factor=0.5,
    )
    layer._id = name
    page.add_child(layer)


def _features(city: CityMap, layer: str) -> list[dict[str, Any]]:
    """Return the shapes of a layer, without what the map does not show; folium writes into what it is given."""
    return [
        {
            "type": "Feature",
            "id": str(number),
            "properties": {"major": bool(feature["properties"].get("major"))},
            "geometry": feature["geometry"],
        }
        for number, feature in enumerate(city.features(layer))
    ]


def _item(one: Standing) -> dict[str, Any]:
    south, west, north, east = one.region.box
    return {
        "title": _text(one.title),
        "subtitle": _text(one.subtitle),
        "details": _text(one.details),
        "picture": one.picture,
        "seen": one.seen,
        "centre": list(centre(one.region)),
        "bounds": [[south, west], [north, east]],
        "geometry": region_geometry(one.region),
    }


def _literal(value: object) -> str:
    """Return JSON values as a JavaScript string that holds their JSON: letters, digits and little else.

    folium takes the script that a template gave for a template again, so that braces in somebody's text would be run;
    and a browser would end the script at the first of its end tags.
    """
    text = json.dumps(json.dumps(value, allow_nan=False))
    return re.sub(r"[^A-Za-z0-9 \\\"\[\]:;,.+/=_-]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _text(value: str) -> str:
    """Return a text on one line without control characters and without what turns the direction of text."""
    return clean_name(value, 2000)


@functools.cache
def _leaflet() -> Path:
    found = importlib.util.find_spec("xstatic.pkg.leaflet")
    for place in (found.submodule_search_locations or []) if found else []:
        if (Path(place) / "data" / "leaflet.js").is_file():
            return Path(place) / "data"
    raise GPSDreamError(ErrorKind.INTERNAL, "Leaflet, which draws the map, is missing.", "Install GPSDream again.")


def _leaflet_js() -> str:
    text = (_leaflet() / "leaflet.js").read_text(encoding="utf-8")
    # The map of its source is a file that is not there.
    return re.sub(r"//# sourceMappingURL=\S*\s*$", "", text).replace("</script", "<\\/script")


def _leaflet_css() -> str:
    def inside(match: re.Match[str]) -> str:
        picture = _leaflet() / match[1]
        if not match[1].endswith(".png") or not picture.is_file():
            return "none"
        return f"url(data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')})"

    text = (_leaflet() / "leaflet.css").read_text(encoding="utf-8")
    # An old name of Internet Explorer's for a drawing language, not an address; yet it looks like one.
    text = text.replace("behavior: url(#default#VML);", "")
    return re.sub(r"url\(([^)]*)\)", inside, text)
