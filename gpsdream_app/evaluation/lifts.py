"""How good lifts are: every landmark of known shape lifted with every method, measured against the truth, in one table.

    python -m gpsdream_app.evaluation.lifts --model landmarks --out docs/lifts --page docs/lifting.md

writes `lifts.json` and the pictures, and rewrites the tables between the marks of the page. A row is written as soon as
it is measured, and those that are there are not measured again: what was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image

from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.landmarks import LANDMARKS, Landmark, landmark
from gpsdream_app.domain.lifts import LiftMethod, LiftQuality, LiftRequest
from gpsdream_app.evaluation.geometry import compare, psnr, ring_of_cameras, silhouette_iou, silhouettes
from gpsdream_app.landmarks.camera import Camera as Lens
from gpsdream_app.landmarks.meshes import TruthMesh, truth_mesh
from gpsdream_app.landmarks.renderer import Renderer, truth_images
from gpsdream_app.library.model_folders import find_model, read_card, weights_hash
from gpsdream_app.lifting.cameras import Camera
from gpsdream_app.lifting.field import Field, Occupancy
from gpsdream_app.lifting.loop import Lift
from gpsdream_app.lifting.mesh import LiftedMesh, extract
from gpsdream_app.lifting.presets import config_of, framing_of
from gpsdream_app.lifting.renderer import render_pictures
from gpsdream_app.lifting.run import load_views, solid_of
from gpsdream_app.lifting.scale import Scale

FINER = 4  # rendered pixels along the side of one that is compared
UNSEEN = tuple(2.5 + 30.0 * number for number in range(12))  # azimuths between those of every ring
SHOWN = UNSEEN[1::4]  # of the pictures
# Distillation asks the model at every step; at the small size its answer is the same within some hundredths.
QUALITIES = {
    LiftMethod.VIEWS: LiftQuality.BALANCED,
    LiftMethod.REFINE: LiftQuality.BALANCED,
    LiftMethod.SDS: LiftQuality.FAST,
    LiftMethod.TEXT: LiftQuality.FAST,
}
JPEG_QUALITY = 85


def framed_truth(
    renderer: Renderer,
    mesh: TruthMesh,
    camera: Camera,
    scale: Scale,
    side: int,
    background: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """What a level camera of a lift sees of the true shape, under an even daylight.

    Args:
        renderer: to draw with.
        mesh: of the landmark.
        camera: level, as `framed_camera` makes them.
        scale: of the field.
        side: of the picture in pixels.
        background: sRGB, 0 to 1.

    Returns:
        The picture (side, side, 3) and how much of each pixel is landmark (side, side), both 0 to 1.
    """
    if camera.elevation != 0.0:
        raise ValueError("the true views are those of level cameras")
    east, north, up = (float(value) for value in scale.to_metres(camera.position))
    # A square about the horizon, twice the frame's size: what is wanted is cut out of it.
    half = math.tan(math.radians(camera.fov) / 2)
    fine = side * FINER
    lens = Lens((east, north, up), camera.heading, 0.0, 0.0, 2 * math.degrees(math.atan(2 * half)), 2 * fine, 2 * fine)
    # The triangles' edges are smooth enough after the mean of the finer pixels.
    bytes_behind = tuple(round(value * 255) for value in background)
    seen = truth_images(renderer, mesh, lens, background=bytes_behind, samples=1)  # type: ignore[arg-type]
    top = round(fine - (0.5 + camera.shift[1]) * fine)
    left = round(fine - (0.5 + camera.shift[0]) * fine)
    part = (slice(top, top + fine), slice(left, left + fine))
    colour = seen.rgb[part].reshape(side, FINER, side, FINER, 3).mean(axis=(1, 3)) / 255
    cover = seen.alpha[part].reshape(side, FINER, side, FINER).mean(axis=(1, 3))
    return colour, cover


class TrueViews:
    """A `PictureSource` of the truth itself: how good a lift is whose model makes no mistakes.

    Args:
        mesh: of the landmark.
        scale: of the field.
        side: of the pictures in pixels.
        background: behind the landmark, sRGB from 0 to 1.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        mesh: TruthMesh,
        scale: Scale,
        side: int = 96,
        background: tuple[float, float, float] = (0.36, 0.56, 0.82),
    ) -> None:
        self.name = f"the truth of {mesh.landmark.id}"
        self.mesh, self.scale, self.side, self.background = mesh, scale, side, background

    def pictures(self, cameras: Sequence[Camera], seed: int, before_pass: Callable[[], None]) -> torch.Tensor:
        """See PictureSource."""
        found = []
        with Renderer() as renderer:
            for camera in cameras:
                before_pass()
                found.append(framed_truth(renderer, self.mesh, camera, self.scale, self.side, self.background)[0])
        return torch.from_numpy(np.stack(found)).float().permute(0, 3, 1, 2).contiguous()

    def again(
        self,
        pictures: torch.Tensor,
        cameras: Sequence[Camera],
        seed: int,
        strength: float,
        before_pass: Callable[[], None],
    ) -> torch.Tensor:
        """See PictureSource."""
        return self.pictures(cameras, seed, before_pass)


@dataclass(frozen=True, slots=True)
class LiftScores:
    """A lift against the truth.

    Attributes:
        f_score, precision, recall: at 5 % of the true shape's longest side, without the underside.
        chamfer: as a share of that side.
        normals: mean absolute cosine of the normals of nearest points.
        silhouette: intersection over union, mean over views all round from half the height.
        psnr: dB, mean over azimuths that were not fitted, against the truth under an even daylight.
        watertight: whether the mesh is closed.
        size: east, north and up in metres.
        true_size: those of the truth.
    """

    f_score: float
    precision: float
    recall: float
    chamfer: float
    normals: float
    silhouette: float
    psnr: float
    watertight: bool
    size: tuple[float, float, float]
    true_size: tuple[float, float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def measure(
    mesh: LiftedMesh,
    field: Field | None,
    which: Landmark,
    scale: Scale,
    camera: Camera,
    renderer: Renderer,
    background: tuple[float, float, float],
    side: int = 96,
) -> LiftScores:
    """Measure a lift.

    Args:
        mesh: in field units.
        field: that it was extracted from, for pictures; None leaves the PSNR out (nan).
        which: a landmark of known shape.
        scale: of the field.
        camera: any of its ring.
        renderer: to draw the truth with.
        background: behind the landmark.
        side: of the pictures in pixels.
    """
    truth = truth_mesh(which.id)
    true = truth.to_trimesh()
    lifted = trimesh.Trimesh(scale.to_metres(mesh.vertices), mesh.faces, process=False)
    scores = compare(lifted, true, ground=False)
    cameras = ring_of_cameras(true, 24, 96)
    covers = silhouette_iou(silhouettes(renderer, lifted, cameras), silhouettes(renderer, true, cameras))
    noise = float("nan")
    if field is not None:
        pairs = [
            (seen_of(field, one, side, background), framed_truth(renderer, truth, one, scale, side, background)[0])
            for one in (replace(camera, azimuth=azimuth) for azimuth in UNSEEN)
        ]
        noise = float(np.mean([psnr(seen, wanted, 1.0) for seen, wanted in pairs]))
    return LiftScores(
        scores.f_score,
        scores.precision,
        scores.recall,
        scores.chamfer_relative,
        scores.normal_consistency,
        covers,
        noise,
        mesh.watertight,
        tuple(float(value) for value in np.ptp(lifted.vertices, axis=0)),  # type: ignore[arg-type]
        tuple(float(value) for value in np.ptp(truth.vertices, axis=0)),  # type: ignore[arg-type]
    )


def seen_of(field: Field, camera: Camera, side: int, background: tuple[float, float, float]) -> np.ndarray:
    """A picture of a field, (side, side, 3), 0 to 1."""
    occupancy = Occupancy(field.extent)
    occupancy.update(field)
    behind = torch.tensor(background)
    seen = render_pictures(field, [camera], side, side, samples=128, background=behind, occupancy=occupancy)
    picture: np.ndarray = seen.colour.reshape(side, side, 3).clamp(0, 1).cpu().numpy()
    return picture


def sheet(rows: Sequence[Sequence[np.ndarray]]) -> Image.Image:
    """Pictures (side, side, 3), 0 to 1, in rows."""
    joined = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    return Image.fromarray((joined.clip(0, 1) * 255).round().astype(np.uint8))


# -- the table --

BEGIN, END = "<!-- lifts: begin -->", "<!-- lifts: end -->"


def lift_and_measure(
    request: LiftRequest, folder: Path, renderer: Renderer, device: str = "auto"
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Lift a landmark of known shape and measure it.

    Args:
        request: what to lift.
        folder: of the model.
        renderer: to draw the truth with.
        device: see `choose_device`.

    Returns:
        A row of the table as JSON values, and pictures (side, side, 3), 0 to 1, of the lift from the azimuths `SHOWN`.
    """
    card = read_card(folder)
    config, scale = config_of(request, card)
    views = load_views(folder, request, device)
    begun, busy = time.monotonic(), time.process_time()
    lift = Lift(config, views, None, previews=0)
    for _ in lift.run():
        pass
    mesh = extract(solid_of(lift, scale))
    seconds, busy = time.monotonic() - begun, time.process_time() - busy
    flat = views.background or (1.0, 1.0, 1.0)
    scores = measure(mesh, lift.field, request.landmark, scale, lift.cameras[0], renderer, flat, views.side)
    pictures = [seen_of(lift.field, replace(lift.cameras[0], azimuth=one), views.side, flat) for one in SHOWN]
    row = {
        "landmark": request.landmark.id,
        "method": request.method.value,
        "quality": request.quality.value,
        "seed": request.seed,
        "seconds": round(seconds, 1),
        "processor_seconds": round(busy, 1),
        "model": card.title,
        "weights": weights_hash(folder)[:16],
        **scores.to_dict(),
    }
    return row, pictures


def true_pictures(which: Landmark, folder: Path, renderer: Renderer, side: int = 96) -> list[np.ndarray]:
    """Pictures (side, side, 3), 0 to 1, of a landmark's true shape from the azimuths `SHOWN`, framed as a model's."""
    card = read_card(folder)
    config, scale = config_of(LiftRequest(which), card)
    behind = framing_of(card, which).background or (1.0, 1.0, 1.0)
    camera = Camera(0.0, 0.0, config.distance, config.fov, config.target, config.shift)
    truth = truth_mesh(which.id)
    cameras = [replace(camera, azimuth=azimuth) for azimuth in SHOWN]
    return [framed_truth(renderer, truth, one, scale, side, behind)[0] for one in cameras]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| landmark | method | quality | seconds | F | Chamfer % | normals | silhouettes | PSNR dB | size m (truth) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        size, true = (" x ".join(f"{value:.1f}" for value in row[name]) for name in ("size", "true_size"))
        lines.append(
            f"| {landmark(row['landmark']).title} | {row['method']} | {row['quality']} "
            f"| {row['processor_seconds']:.0f} | {row['f_score']:.3f} "
            f"| {100 * row['chamfer']:.1f} | {row['normals']:.2f} | {row['silhouette']:.3f} | {row['psnr']:.1f} "
            f"| {size} ({true}) |"
        )
    return "\n".join(lines)


def gallery(rows: Sequence[Mapping[str, Any]], where: str) -> str:
    """The pictures as a table in Markdown: a column for the truth and each method.

    Args:
        rows: of the table.
        where: the folder of the pictures as the page names it.
    """
    methods = [method.value for method in LiftMethod if any(row["method"] == method for row in rows)]
    places = list(dict.fromkeys(row["landmark"] for row in rows))
    lines = ["| truth | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
    for place in places:
        had = {row["method"] for row in rows if row["landmark"] == place}
        title = landmark(place).title
        cells = [
            f"![{title}, {name}]({where}/{place}-{name}.jpg)" if name == "truth" or name in had else ""
            for name in ("truth", *methods)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def put_between_marks(text: str, table_text: str) -> str:
    """Replace what stands between the marks of a page; a page without them gets both at its end."""
    block = f"{BEGIN}\n{table_text}\n{END}"
    if BEGIN in text and END in text:
        return text[: text.index(BEGIN)] + block + text[text.index(END) + len(END) :]
    return f"{text.rstrip()}\n\n{block}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Lift everything that the command line asks for; what has been measured of the same weights is not done again."""
    parser = argparse.ArgumentParser(prog="python -m gpsdream_app.evaluation.lifts", description=__doc__)
    parser.add_argument("--model", default="landmarks", help="name or folder of the model (landmarks)")
    parser.add_argument("--out", type=Path, required=True, help="folder for lifts.json and the pictures")
    parser.add_argument("--landmark", nargs="*", help="ids (all)")
    parser.add_argument("--method", nargs="*", default=[method.value for method in LiftMethod], help="methods (all)")
    parser.add_argument("--quality", help="fast, balanced or fine (fast for sds and text, balanced for the others)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="the page whose table is rewritten")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    chosen = [landmark(name) for name in options.landmark] if options.landmark else list(LANDMARKS)
    folder = find_model(options.model)
    weights = weights_hash(folder)[:16]
    options.out.mkdir(parents=True, exist_ok=True)
    records = options.out / "lifts.json"
    rows: list[dict[str, Any]] = json.loads(records.read_text("utf-8")) if records.is_file() else []
    wanted = ("landmark", "method", "quality", "seed", "weights")
    with Renderer() as renderer:
        for which in chosen:
            shown = options.out / f"{which.id}-truth.jpg"
            if not shown.is_file():
                sheet([true_pictures(which, folder, renderer)]).save(shown, quality=JPEG_QUALITY)
            for name in options.method:
                method = LiftMethod(name)
                quality = LiftQuality(options.quality) if options.quality else QUALITIES[method]
                request = LiftRequest(which, method, quality, options.seed)
                key = (which.id, method.value, quality.value, options.seed, weights)
                if any(tuple(row[name] for name in wanted) == key for row in rows):
                    continue
                row, pictures = lift_and_measure(request, folder, renderer, options.device)
                rows = [one for one in rows if tuple(one[name] for name in wanted)[:2] != key[:2]] + [row]
                sheet([pictures]).save(options.out / f"{which.id}-{method}.jpg", quality=JPEG_QUALITY)
                with whole_file(records) as temporary:
                    temporary.write_text(json.dumps(rows, indent=1), "utf-8")
                sys.stderr.write(
                    f"{which.title}, {method}: F {row['f_score']:.3f} in {row['processor_seconds']:.0f} s "
                    f"of the processor, {row['seconds']:.0f} s by the clock\n"
                )
    order = {one.id: number for number, one in enumerate(LANDMARKS)}
    rows.sort(key=lambda row: (order.get(row["landmark"], 99), list(LiftMethod).index(LiftMethod(row["method"]))))
    text = table(rows)
    if options.page:
        where = Path(os.path.relpath(options.out, options.page.parent)).as_posix()
        both = f"{text}\n\n{gallery(rows, where)}"
        options.page.write_text(put_between_marks(options.page.read_text("utf-8"), both), "utf-8")
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
