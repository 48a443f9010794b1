"""The report as one HTML file: no script, nothing from elsewhere, readable in light and dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gpsdream_app.domain.results import Result
from gpsdream_app.domain.words import time_words
from gpsdream_app.evaluation import plots
from gpsdream_app.evaluation.report import QUALITY, counts_words, interval_words, number, used_columns

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
CSS_OF_ROW = {
    "ours": "ours",
    "ours, without text": "alone",
    "nearest photo": "nearest",
    "text only": "words",
    "text + address": "address",
    "the real photo": "real",
    "ours, without heading": "minor",
    "address alone": "minor",
}

STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #ffffff; --ink: #22262c; --soft: #5d6570; --rule:
 #dfe1e4;
 --accent: #a05a00; --note: #fff4dc; --c-ours: #b86800; --c-alone: #d99a2b; --c-nearest: #3a6ea8; --c-words:
 #7a8088;
 --c-address: #8458a8; --c-real: #2f7d5b; --c-minor: #a3a9b1; }
@media (prefers-color-scheme: dark) { :root { --paper: #16191d; --card: #1e2227; --ink: #e4e6e9; --soft: #a2a9b3;
 --rule: #353b43; --accent: #f0b45c; --note: #33290f; --c-ours: #f0a83c; --c-alone: #c98a2c; --c-nearest: #74a8e0;
 --c-words: #98a0ab; --c-address: #bc93e0; --c-real: #66c398; --c-minor: #737b86; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", "Noto Sans",
 "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 8px; letter-spacing: -.01em; }
h2 { font-size: 20px; margin: 56px 0 8px; }
p { max-width: 72ch; margin: 8px 0 12px; }
.lead { font-size: 17px; } .soft, figcaption, .small { color: var(--soft); } .small { font-size: 13px; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 24px; padding: 0; margin: 12px 0 0; list-style: none;
 color: var(--soft); font-size: 14px; }
.note { background: var(--note); border-radius: 8px; padding: 12px 16px; margin: 16px 0; max-width: none; }
.note p { margin: 4px 0; max-width: none; }
.says { padding-left: 20px; max-width: 76ch; } .says li { margin: 6px 0; }
.wide { overflow-x: auto; } figure { margin: 16px 0; } figcaption { font-size: 13px; max-width: 76ch; margin-top:
 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 15px; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--soft); vertical-align: bottom; }
th, td { padding: 8px 12px 8px 0; border-bottom: 1px solid var(--rule); }
td:first-child { min-width: 128px; } td.figure { white-space: nowrap; }
figure.plot { overflow-x: auto; } figure.plot > svg { min-width: 560px; }
td .range { display: block; color: var(--soft); font-size: 12px; }
td svg.bar { display: block; width: 120px; height: 14px; margin-top: 2px; }
tr.ours td { font-weight: 600; } tr.ours td .range { font-weight: 400; }
tr.first-ablation td { border-top: 2px solid var(--rule); }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 5px; margin-right: 8px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 13px; padding: 0; margin: 8px 0; list-style:
 none; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
svg text { font: 12px system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .tick { fill: var(--soft); font-size: 11.5px; } svg .label { fill: var(--soft); } svg .heading { font-weight:
 600; }
svg .grid { stroke: var(--rule); stroke-width: 1; } svg .axis { stroke: var(--soft); stroke-width: 1.2; }
svg .curve { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
svg .curve.ours { stroke-width: 3; } svg .curve.real { stroke-dasharray: 2 4; } svg .curve.alone {
 stroke-dasharray: 7 4; }
svg .band { fill: currentColor; opacity: .14; stroke: none; }
svg .dot { fill: currentColor; stroke: var(--paper); stroke-width: 1.5; } svg .faint { fill: currentColor; opacity:
 .32; }
svg .whisker { stroke: currentColor; stroke-width: 2; opacity: .55; }
svg .cell { fill: var(--c-ours); } svg .cell.best { stroke: var(--ink); stroke-width: 1.6; }
svg .value.best { font-weight: 700; } svg .value.strong { fill: #1d1406; }
svg .own { fill: none; stroke: var(--ink); stroke-dasharray: 3 3; }
svg .learned { fill: var(--c-nearest); opacity: .5; } svg .asked { fill: var(--c-ours); } svg .arrow { fill:
 var(--soft); }
.ours { color: var(--c-ours); } .alone { color: var(--c-alone); } .nearest { color: var(--c-nearest); }
.words { color: var(--c-words); } .address { color: var(--c-address); } .real { color: var(--c-real); }
.minor { color: var(--c-minor); } .key { background: currentColor; } tr.ours, tr.ours td { color: var(--ink); }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 16px; }
.answers { border-spacing: 6px; border-collapse: separate; table-layout: fixed; width: 100%; min-width: 860px;
 margin: 0 -6px; } .answers th, .answers td { border: 0; padding: 0; }
.answers th { padding-right: 6px; vertical-align: middle; line-height: 1.35; } .answers th:first-child { width: 104px; }
.answers thead th { font-weight: 400; vertical-align: bottom; padding: 0 0 4px; font-size: 11.5px; }
.answers thead b { display: block; color: var(--ink); font-weight: 600; }
img { display: block; width: 100%; height: auto; aspect-ratio: 1; object-fit: cover; border-radius: 4px;
 background: var(--rule); }
.places { display: grid; gap: 8px; }
.places figure { margin: 0; } .places figcaption { font-size: 11.5px; line-height: 1.3; margin-top: 3px; }
.share { display: inline-block; vertical-align: middle; height: 8px; border-radius: 4px; margin-right: 8px;
 background: currentColor; min-width: 2px; } footer { margin-top: 64px; border-top: 1px solid var(--rule);
 padding-top: 16px; }
@media print { body { background: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""

Picture = tuple[str, Image.Image, Result | None]


@dataclass
class Shown:
    """Pictures that the report shows.

    Attributes:
        title: of the model.
        rows: (name, label) of the rows, in their order.
        questions: words, where, source photograph, and by row (file name, picture, what made it; None for photos).
        random: label, file name, picture, what made it.
        random_side: pictures along one side of their grid.
        learned, asked: (metres east, metres north) of photos that the model has learned from, and is asked about.
    """

    title: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    questions: list[tuple[str, str, str, dict[str, Picture]]] = field(default_factory=list)
    random: list[tuple[str, str, Image.Image, Result]] = field(default_factory=list)
    random_side: int = 5
    learned: list[tuple[float, float]] = field(default_factory=list)
    asked: list[tuple[float, float]] = field(default_factory=list)

    def save(self, folder: Path, save_png: Callable[[Image.Image, Path, Result], None]) -> dict[str, Any]:
        """Write the pictures as files, drawn ones with what made them; return their names as JSON values."""
        for _, _, _, column in self.questions:
            for name, image, result in column.values():
                if result is None:
                    image.save(folder / name, "JPEG", quality=92)
                else:
                    save_png(image, folder / name, result)
        for _, name, image, result in self.random:
            save_png(image, folder / name, result)
        return {
            "questions": [
                {
                    "prompt": prompt,
                    "where": where,
                    "source": source,
                    "pictures": {row: f"{folder.name}/{name}" for row, (name, _, _) in column.items()},
                }
                for prompt, where, source, column in self.questions
            ],
            "random_places": [
                {"where": where, "picture": f"{folder.name}/{name}"} for where, name, _, _ in self.random
            ],
        }


def write_page(path: Path, data: Mapping[str, Any], shown: Shown) -> None:
    """Write the page of a report."""
    path.write_text(page(data, shown), encoding="utf-8")


def page(data: Mapping[str, Any], shown: Shown) -> str:
    """The whole page."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(data['title'])}</title><style>{STYLE}</style></head><body><main>",
        _head(data),
        _table(data),
        _answers(shown),
        _random(shown),
        _areas(data),
        _scatter(data),
        _quality(data),
        _words(data),
        _side(data),
        _neighbourhoods(data),
        _guidance(data),
        _typicality(data),
        _footer(data, shown),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _image(image: Image.Image, label: str) -> str:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=65, method=6)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(label)}" src="data:image/webp;base64,{text}">'


def shortened(text: str, most: int = 64) -> str:
    """A text of so many characters at most, cut between words."""
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0].rstrip(" ,;.") + "…"


def _css(row: str) -> str:
    return CSS_OF_ROW.get(row, "minor")


def _legend(rows: Sequence[tuple[str, str]]) -> str:
    items = "".join(f'<li><span class="key {_css(row)}"></span>{escape(label)}</li>' for row, label in rows)
    return f'<ul class="legend">{items}</ul>'


# -- parts --


def _head(data: Mapping[str, Any]) -> str:
    model, photos = data["model"], data["photos"]
    facts = [
        f"Model {model['name']}, weights {model['weights']}",
        f"{model['image_size']} px, {model['steps']} steps, words × {model['text_guidance']:g}, "
        f"place × {model['place_guidance']:g}",
        f"Photos: {photos['folder']}",
        f"Made {data['created'][:10]} by {data['program']} in {time_words(data['seconds']).removeprefix('about ')}",
    ]
    judges = []
    if data["judges"]["text"]:
        judges.append(f"CLIP score by {data['judges']['text']}")
    if data["judges"]["place"]:
        judges.append("GPS score by a GPS-CLIP")
    facts += judges
    notes = "".join(f"<p>{escape(warning)}</p>" for warning in data["warnings"])
    says = "".join(f"<li>{escape(finding['text'])}</li>" for finding in data["findings"])
    return (
        f"<header><h1>{escape(data['title'])}</h1>"
        f'<p class="lead">{escape(counts_words(data))}</p>'
        f'<ul class="facts">{"".join(f"<li>{escape(fact)}</li>" for fact in facts)}</ul></header>'
        + (f'<div class="note" role="note">{notes}</div>' if notes else "")
        + (f"<h2>What the figures say</h2><ul class=says>{says}</ul>" if says else "")
    )


def _bounds(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float]:
    figures = [row[name] for row in rows if row.get(name) and row[name]["value"] is not None]
    lows = [figure["low"] if figure["low"] is not None else figure["value"] for figure in figures]
    highs = [figure["high"] if figure["high"] is not None else figure["value"] for figure in figures]
    return (min(lows, default=0.0), max(highs, default=1.0))


def _figure_cell(figure: Mapping[str, Any] | None, digits: int, bounds: tuple[float, float] | None, css: str) -> str:
    if not figure or figure["value"] is None:
        return '<td class="figure">–</td>'
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    bar = ""
    if bounds is not None:
        ends = (value if low is None else low, bounds[1] if high is None else high)
        bar = plots.interval_bar(value, *ends, bounds, css)
    return (
        f'<td class="figure">{number(value, digits)}'
        f'<span class="range">{number(low, digits)} to {number(high, digits)}</span>{bar}</td>'
    )


def _table(data: Mapping[str, Any]) -> str:
    rows, columns = data["rows"], used_columns(data["rows"])
    bounds = {name: _bounds(rows, name) for name, _, _ in columns}
    head = "".join(f"<th>{escape(title)}</th>" for _, title, _ in columns)
    body, ablations = [], False
    for row in rows:
        css = "ours" if row["row"] == "ours" else ""
        if row["ablation"] and not ablations:
            css, ablations = f"{css} first-ablation", True
        cells = "".join(_figure_cell(row[name], digits, bounds[name], _css(row["row"])) for name, _, digits in columns)
        body.append(
            f'<tr class="{css.strip()}"><td><span class="key {_css(row["row"])}"></span>{escape(row["label"])}</td>'
            f"{cells}</tr>"
        )
    search = data["search_km2"]
    area = (
        f" The area is that of the streets that the photos show, {number(search, 2)} km² in all, searched from the "
        "most likely cell on until the true place is found; smaller is better."
        if search
        else ""
    )
    return (
        f'<h2>Scores</h2><div class="wide"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
        '<p class="small">Every row answers the same questions, drawn ones from the same noise. CLIP: how well a '
        "picture fits the words of the question; GPS: how well it fits the place; both are 100 times a cosine. "
        f"Below each figure its 95 % interval, by bootstrap over source photographs.{escape(area)}</p>"
    )


def _answers(shown: Shown) -> str:
    if not shown.questions:
        return ""
    head = "".join(
        f"<th><b>{escape(shortened(prompt) or 'no words')}</b>{escape(where)}</th>"
        for prompt, where, _, _ in shown.questions
    )
    body = []
    for row, label in shown.rows:
        cells = "".join(
            f"<td>{_image(column[row][1], f'{label}: {prompt or where}')}</td>"
            for prompt, where, _, column in shown.questions
        )
        body.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    return (
        '<h2>The same questions, row by row</h2><div class="wide"><table class="answers"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        '<p class="small">Photographs in the first rows, pictures drawn by the model below. Each column starts from '
        "the same noise.</p>"
    )


def _random(shown: Shown) -> str:
    if not shown.random:
        return ""
    items = "".join(
        f"<figure>{_image(image, where)}<figcaption>{escape(where)}</figcaption></figure>"
        for where, _, image, _ in shown.random
    )
    return (
        f"<h2>Random places</h2><p class=soft>Drawn from the place alone, without words; nothing was picked.</p>"
        f'<div class="places" style="grid-template-columns:repeat({int(shown.random_side)},minmax(0,1fr))">'
        f"{items}</div>"
    )


def _areas(data: Mapping[str, Any]) -> str:
    curves = data["recall_vs_area"]
    if not curves:
        return ""
    labels = [(row["row"], row["label"]) for row in data["rows"] if row["row"] in curves and not row["ablation"]]
    lines = [
        plots.Curve(
            _css(row),
            curves[row]["areas_km2"],
            curves[row]["recall"],
            (curves[row]["low"], curves[row]["high"]) if row == "ours" else None,
        )
        for row, _ in sorted(labels, key=lambda item: item[0] == "ours")
    ]
    return (
        "<h2>Recall against area</h2><p>Given only the picture, how much of the city has to be searched before its "
        "place is found? The further a curve stands to the left, the more its pictures look like their own place.</p>"
        f"<figure class=plot>{plots.recall_curves(lines, data['search_km2'] or 1.0)}{_legend(labels)}<figcaption>"
        "Cells are searched by falling likelihood under the GPS-CLIP. The band is the 95 % interval of this model with "
        "words and place. A picture that tells nothing has half of the area searched on average.</figcaption></figure>"
    )


def _scatter(data: Mapping[str, Any]) -> str:
    points = []
    for row in data["rows"]:
        figures = [row["gps"], row["clip"]]
        if all(figure and None not in (figure["value"], figure["low"], figure["high"]) for figure in figures):
            x, y = ((figure["value"], figure["low"], figure["high"]) for figure in figures)
            label = row["label"].split(" (")[0].removeprefix("this model: ").removeprefix("this model, ")
            points.append(plots.Point(label, _css(row["row"]), x, y))
    if len(points) < 2:
        return ""
    return (
        "<h2>Words against place</h2><p>A model that follows the place tends to listen less to the words. The upper "
        "right corner is where both are kept.</p>"
        f"<figure class=plot>{plots.trade_off(points, 'GPS score', 'CLIP score')}</figure>"
    )


def _quality(data: Mapping[str, Any]) -> str:
    quality = data["quality"]
    if not quality.get("rows"):
        return ""
    labels = {row["row"]: row["label"] for row in data["rows"]}
    head = "".join(f"<th>{escape(title)}</th>" for _, title, _ in QUALITY)
    body = "".join(
        f'<tr class="{"ours" if name == "ours" else ""}"><td><span class="key {_css(name)}"></span>'
        f"{escape(labels.get(name, name))}</td>"
        + "".join(_figure_cell(row.get(key), digits, None, _css(name)) for key, _, digits in QUALITY)
        + "</tr>"
        for name, row in quality["rows"].items()
    )
    return (
        "<h2>Quality and variety</h2><p>Precision: the share of pictures that lie among photographs; recall and "
        "coverage: the share of photographs that pictures come near to; density: how deep among photographs pictures "
        "lie. The Fréchet distance compares whole sets, and is small where they are alike.</p>"
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<p class="small">On the features of the GPS-CLIP’s image tower, against {quality["real_pictures"]} crops of '
        f"the photographs that are asked about; k = {quality['neighbours']}. The row of the nearest training photo "
        "says what other real photographs reach. The Fréchet distance falls with the number of pictures: compare it "
        "within this table only.</p>"
    )


def _words(data: Mapping[str, Any]) -> str:
    if not data["words"]:
        return ""
    body = []
    for word in data["words"]:
        cells = []
        for name, css in (("asked", "ours"), ("not_asked", "words")):
            share = word[name]["value"] or 0.0
            cells.append(
                f'<td class="figure"><span class="share {css}" style="width:{90 * share:.0f}px"></span>'
                f"{100 * share:.0f} %</td>"
            )
        probe = word.get("probe")
        area = number(probe["area"]["value"], 2) if probe and probe.get("area") else "–"
        body.append(
            f"<tr><td>{escape(word['word'])}</td>{''.join(cells)}"
            f'<td class="figure">{escape(interval_words(word["ratio"], 1))}</td>'
            f'<td class="figure">{escape(interval_words(word.get("photos"), 1))}</td>'
            f'<td class="figure">{area}</td></tr>'
        )
    first = data["words"][0]
    return (
        "<h2>Words that it obeys</h2><p>How often a classifier that was trained on real photographs finds a thing in "
        "pictures, when the word was asked for and when nothing was.</p>"
        '<div class="wide"><table><thead><tr><th>word</th><th>asked for</th><th>not asked for</th><th>ratio, 95 % '
        f"interval</th><th>photographs</th><th>classifier</th></tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        f'<p class="small">At {first["asked"]["count"]} random places, the same places and the same noise with and '
        "without the word; half a picture is added to both counts. Photographs: the ratio that real ones reach, those "
        "that have the thing against all; the classifier has learned from most of them, so it flatters. Classifier: "
        "how well it finds the thing in held-out photographs, as the area under its ROC curve (0.5 is chance, 1 is "
        "never wrong).</p>"
    )


def _side(data: Mapping[str, Any]) -> str:
    side = data["side"]
    if not side:
        return ""
    share = side["agreement"]
    return (
        "<h2>Both sides of the street</h2><p>At the same point, facing one way and the other, the photograph that "
        f"looks most like the picture is of the side that was asked for in <b>{100 * share['value']:.0f}&nbsp;%</b> of "
        f"{share['count']} pictures ({100 * share['low']:.0f} to {100 * share['high']:.0f}&nbsp;%; chance is "
        "50&nbsp;%).</p>"
    )


def _neighbourhoods(data: Mapping[str, Any]) -> str:
    found = data.get("neighbourhoods") or {}
    if not found:
        return ""
    head = "".join(
        f"<th>{escape(name)}<br>{count} photographs</th>"
        for name, count in zip(found["names"], found["photos"], strict=True)
    )
    body = []
    for row in found["rows"]:
        share = row["share"]
        bar = plots.interval_bar(share["value"], share["low"], share["high"], (0.0, 1.0), _css(row["row"]))
        cells = "".join(f'<td class="figure">{100 * value:.0f}&nbsp;%</td>' for value in row["by_neighbourhood"])
        body.append(
            f'<tr class="{"ours" if row["row"] == "ours" else ""}"><td><span class="key {_css(row["row"])}"></span>'
            f'{escape(row["label"])}</td><td class="figure">{100 * share["value"]:.0f}&nbsp;%<span class="range">'
            f"{100 * share['low']:.0f} to {100 * share['high']:.0f}&nbsp;%</span>{bar}</td>{cells}</tr>"
        )
    gain = found["above_address"]
    drawn = found["rows"][-1]["share"]["count"]
    return (
        "<h2>Neighbourhoods</h2><p>A linear classifier has learned from real photographs what each neighbourhood "
        "looks like. How often does it find the right one for single pictures that were drawn there? Of "
        f"{len(found['names'])} neighbourhoods a guess finds {100 * found['chance']:.0f}&nbsp;%; words and place lie "
        f"<b>{number(100 * gain['value'], 0)} points</b> above words and address ({number(100 * gain['low'], 0)} to "
        f"{number(100 * gain['high'], 0)}).</p>"
        f'<div class="wide"><table><thead><tr><th></th><th>right</th>{head}</tr></thead><tbody>{"".join(body)}</tbody>'
        f'</table></div><p class="small">Every way drew {drawn} pictures of “{escape(found["prompt"])}”, at places of '
        "photographs, from the same noise. Every neighbourhood counts the same. The classifier learned from "
        "photographs that the model learned from, too; how far it can be trusted on others, the first row says: each "
        "of these was judged by one that had not seen the photograph.</p>"
    )


def _guidance(data: Mapping[str, Any]) -> str:
    heat, variants = data["heat_map"], data["variants"]
    if not heat and not variants:
        return ""
    parts = ["<h2>The guidance weights</h2>"]
    if heat:
        texts, places, own = heat["text_guidance"], heat["place_guidance"], heat["own"]
        marked = (places.index(own["place_guidance"]), texts.index(own["text_guidance"]))
        maps = []
        for name, title in (("clip", "CLIP score"), ("gps", "GPS score"), ("average", "average")):
            if heat.get(name):
                values = np.array(heat[name])
                best = np.unravel_index(int(values.argmax()), values.shape)
                cell = (int(best[0]), int(best[1]))
                maps.append(
                    f"<figure>{plots.heat_map(title, texts, places, heat[name], marked=marked, best=cell)}</figure>"
                )
        parts.append(
            f'<div class="maps">{"".join(maps)}</div><p class="small">Means over {heat["questions"]} questions, drawn '
            f"with {heat['steps']} steps. Dashed: the model’s own weights. Framed: the largest.</p>"
        )
    if variants:
        columns = used_columns(variants)
        head = "".join(f"<th>{escape(title)}</th>" for _, title, _ in columns)
        body = "".join(
            f"<tr><td>{escape(row['label'])}</td>"
            + "".join(_figure_cell(row[name], digits, _bounds(variants, name), "ours") for name, _, digits in columns)
            + "</tr>"
            for row in variants
        )
        parts.append(
            "<p>Other ways to guide, at the model’s own weights.</p>"
            f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )
    return "".join(parts)


def _typicality(data: Mapping[str, Any]) -> str:
    found = data["typicality"]
    if not found:
        return ""
    rows = []
    for name, label, css in (("own", "at its own place", "ours"), ("other", "at other places", "words")):
        figure = found[name]
        samples = [1000 * value for value in found["samples"][name]]
        rows.append((label, css, samples, tuple(1000 * figure[key] for key in ("value", "low", "high"))))
    wins = found["own_is_higher"]
    return (
        "<h2>Typicality</h2><p>How much better the model predicts a real photograph when it is told a place, in "
        "thousandths of the noise’s variance. A model that knows its city gains most from the true place: here in "
        f"<b>{100 * wins['value']:.0f}&nbsp;%</b> of {wins['count']} crops ({100 * wins['low']:.0f} to "
        f"{100 * wins['high']:.0f}&nbsp;%).</p>"
        f"<figure class=plot>{plots.strips(rows, 'typicality, thousandths')}<figcaption>Each dot is a crop of a "
        f"photograph that is asked about; other places lie more than {found['other_metres']:.0f} m away."
        "</figcaption></figure>" + _located(data.get("located_by_loss") or {})
    )


def _located(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    return (
        "<p>The model can also look for a photograph by itself, in "
        f"{found['cells']} cells of {found['cell_metres']:.0f} m ({number(found['search_km2'], 2)} km²): the place "
        "whose noise it predicts best comes first. The median area until the true cell is found is "
        f"<b>{interval_words(found['median_area'], 3)}</b> km².</p>"
    )


def _footer(data: Mapping[str, Any], shown: Shown) -> str:
    photos = data["photos"]
    judges = ", ".join(f"{name} from {count}" for name, count in photos["judges_learned_from"].items() if count)
    told = (
        f"The model learned from {photos['trained_on']} photographs of this folder."
        if photos["training_is_known"]
        else "The model’s card does not list what it learned from."
    )
    place_map = ""
    if shown.asked:
        place_map = (
            f"<figure class=plot>{plots.street_map(shown.learned, shown.asked)}"
            '<ul class="legend"><li><span class="key ours"></span>asked about</li>'
            '<li><span class="key nearest"></span>learned from</li></ul></figure>'
        )
    sources = ", ".join(photos["sources"])
    return (
        f"<h2>What was trained on what</h2><p>{escape(told)} Questions were asked about {photos['asked']}."
        + (f" The judges learned from photographs, too: {escape(judges)}." if judges else "")
        + f"</p>{place_map}"
        + f'<details><summary class="small">Photographs that are asked about</summary><p class="small">'
        f"{escape(sources)}</p></details>"
        '<footer class="small">Pictures in this report that are not marked as photographs were made by a model. '
        f"Seed {data['seed']}; the same model, photos, judges and seed give the same figures.</footer>"
    )
