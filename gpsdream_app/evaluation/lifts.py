"""How good lifts are: every landmark of known shape lifted with every method, measured against the truth, in one table.

    python -m gpsdream_app.evaluation.lifts --model landmarks --out docs/lifts

writes `lifts.json` and the pictures, and rewrites the table between the marks of docs/lifting.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image

from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.evaluation.geometry import compare, psnr, ring_of_cameras, silhouette_iou, silhouettes
from gpsdream_app.landmarks.camera import Camera as Lens
from gpsdream_app.landmarks.meshes import TruthMesh, truth_mesh
from gpsdream_app.landmarks.renderer import Renderer, truth_images
from gpsdream_app.lifting.cameras import Camera
from gpsdream_app.lifting.field import Field, Occupancy
from gpsdream_app.lifting.mesh import LiftedMesh
from gpsdream_app.lifting.renderer import render_pictures
from gpsdream_app.lifting.scale import Scale

FINER = 4  # rendered pixels along the side of one that is compared
UNSEEN = tuple(2.5 + 30.0 * number for number in range(12))  # azimuths between those of every ring


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
    landmark: Landmark,
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
        landmark: one of known shape.
        scale: of the field.
        camera: any of its ring.
        renderer: to draw the truth with.
        background: behind the landmark.
        side: of the pictures in pixels.
    """
    truth = truth_mesh(landmark.id)
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
