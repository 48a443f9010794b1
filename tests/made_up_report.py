"""A report with made-up figures in every section, for tests of what shows reports."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.evaluation.page import CSS_OF_ROW, Shown


def figure(value: float, spread: float = 1.0, count: int = 12) -> dict[str, Any]:
    """A figure and its interval."""
    return {"value": value, "low": value - spread, "high": value + spread, "count": count}


def picture(number: int) -> Image.Image:
    """A small picture of one colour."""
    return Image.new("RGB", (16, 16), ((number * 37) % 256, (number * 91) % 256, 120))


def made_up_report(caption: str = "a mansion, a tree", **changes: Any) -> tuple[dict[str, Any], Shown]:
    """Figures and pictures of a report; `changes` replace whole sections."""
    names = list(CSS_OF_ROW)
    areas = np.geomspace(0.001, 1.2, 30)
    columns = ("clip", "gps", "average", "gps_heading")
    rows = [
        {
            "row": name,
            "label": f"row {name}",
            "ablation": index >= 6,
            **{column: figure(20.0 + index) for column in columns},
            "median_area": {"value": 0.1 * (index + 1), "low": 0.05, "high": None, "count": 12},
        }
        for index, name in enumerate(names)
    ]
    recall = [round(float(value), 4) for value in np.linspace(0.1, 1, 30)]
    curve = {"areas_km2": areas.tolist(), "recall": recall, "low": recall, "high": recall}
    grid = [[1.0, 2.0], [3.0, 4.0]]
    data: dict[str, Any] = {
        "schema": 1,
        "title": f"Made up: {caption}",
        "created": "2026-01-02T03:04:05+00:00",
        "program": "GPSDream 0",
        "quick": False,
        "seed": 0,
        "model": {
            "name": "made-up",
            "title": "Made up",
            "weights": "0123456789abcdef",
            "image_size": 16,
            "steps": 20,
            "own_steps": 20,
            "text_guidance": 2.0,
            "place_guidance": 3.0,
            "sampling": {},
        },
        "photos": {
            "folder": "photos",
            "held_out": 2,
            "trained_on": 8,
            "asked": 2,
            "outside": 0,
            "training_is_known": True,
            "seen_too": False,
            "sources": [f"{caption}.jpg"],
            "held_out_sources_of_the_card": None,
            "judges_learned_from": {"gps-clip": 8},
        },
        "judges": {"text": "a small CLIP", "place": True},
        "questions": {"count": 12, "captions": 8, "tags": 4, "sources": 2},
        "search_km2": 1.2,
        "rows": rows,
        "findings": [{"name": "x", **figure(0.8), "text": f"It keeps most of it: {caption}"}],
        "recall_vs_area": dict.fromkeys(names, curve),
        "quality": {
            "neighbours": 3,
            "real_pictures": 12,
            "rows": {
                name: {key: figure(0.5, 0.1) for key in ("precision", "recall", "density", "coverage", "frechet")}
                for name in names
                if name != "the real photo"
            },
        },
        "heat_map": {
            "text_guidance": [1.0, 2.0],
            "place_guidance": [1.0, 3.0],
            "clip": grid,
            "gps": grid,
            "average": grid,
            "best": {"by": "average", "text_guidance": 2.0, "place_guidance": 3.0, "value": 4.0},
            "own": {"text_guidance": 2.0, "place_guidance": 3.0},
            "steps": 10,
            "questions": 4,
        },
        "variants": [
            {"label": caption, **{column: figure(20.0) for column in ("clip", "gps", "average", "median_area")}}
        ],
        "words": [
            {
                "word": caption,
                "asked": figure(0.8, 0.1, 5),
                "not_asked": figure(0.0, 0.0, 5),
                "ratio": figure(9.0, 4.0),
                "photos": figure(3.0, 1.0),
                "probe": {"prevalence": 0.3, "precision": figure(0.7, 0.1), "area": figure(0.8, 0.1)},
            }
        ],
        "side": {"agreement": figure(0.9, 0.05, 100), "pictures": 100, "points": 50},
        "neighbourhoods": {
            "names": [f"south of {caption}", "north"],
            "photos": [6, 7],
            "prompt": "building",
            "chance": 0.5,
            "rows": [
                {
                    "row": name,
                    "label": f"row {name}",
                    "share": figure(0.6, 0.1, 24),
                    "by_neighbourhood": [0.5, 0.7],
                    "confusion": [[6, 6], [4, 8]],
                }
                for name in ("the real photo", "ours", "ours, without text", "text + address")
            ],
            "above_address": figure(0.2, 0.1, 24),
        },
        "typicality": {
            "own": figure(0.004, 0.001),
            "other": figure(0.001, 0.001),
            "difference": figure(0.003, 0.001),
            "own_is_higher": figure(0.9, 0.05),
            "samples": {"own": [0.003, 0.005], "other": [0.0, 0.002]},
            "other_metres": 500.0,
        },
        "located_by_loss": {
            "median_area": figure(0.2, 0.1),
            "search_km2": 0.9,
            "cells": 90,
            "cell_metres": 100.0,
        },
        "warnings": [f"Mind this: {caption}"],
        "seconds": 1234.5,
        **changes,
    }
    result = Result(
        "0" * 32,
        "evaluation",
        GenerateRequest(Place(40.75, -73.98)),
        "",
        data["created"],
        0.0,
        "Made up",
        "",
        "0",
        16,
        16,
    )
    shown = Shown("Made up", [(name, f"row {name}") for name in names])
    for number in range(3):
        column = {
            name: (f"{number}-{index}.png", picture(number * 8 + index), result) for index, name in enumerate(names)
        }
        shown.questions.append((caption, "Fifth Avenue & E 23rd St", f"{caption}.jpg", column))
    shown.random = [(caption, f"place-{number}.png", picture(number), result) for number in range(4)]
    shown.random_side = 2
    shown.learned, shown.asked = [(float(x), 2.0 * x) for x in range(8)], [(3.0, 9.0), (5.0, 1.0)]
    return data, shown
