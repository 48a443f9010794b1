"""Photos of a landmark brought to one framing: a level camera at eye height, the foot at 85 % of the frame's height and
the top at 15 %, the landmark's axis in the middle, everything else one flat colour.

What a model learns from such views is decided by azimuth, distance and landmark alone, and a lift looks through the
same cameras. The tilt of a photo and its distance are solved from the rows in which the landmark's top and foot stand,
its known height and the place that the file gives. How deep the landmark is, and where its axis stands in each picture,
follows from the outlines of all its photos together (`Plan`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy import ndimage

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.geo.azimuth import angle_between
from gpsdream_app.landmarks.collection import (
    LENS_ERROR,
    LandmarkPhoto,
    LeftOut,
    photos_of,
    records_in,
    with_direction,
)
from gpsdream_app.photos.reader import open_picture
from gpsdream_app.photos.records import PhotoRecord

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

FOOT = 0.85  # of the frame's height, from above: where the foot stands on the axis
HEIGHT = 0.7  # of the frame's height: from the foot to the top, on the axis
WIDEST = 0.9  # of the frame's width; wider landmarks are made smaller, and their foot stays
DISTANCE = 2.5  # heights: from where a lift looks, and at which foot and top stand exactly there
EYE = 1.6  # metres above the foot
BACKGROUND = (0.36, 0.56, 0.82)  # sRGB
SMALLEST = 0.05  # of the picture: the square about the mask
HELD_OUT = 10  # one photo in so many
ROLL_ERROR = 0.8  # degrees, standard deviation of how crookedly people hold a camera
MASK_SUFFIXES = (".mask.png", ".png")
HARMONICS = 8
SAMPLES = 3  # along the side of a pixel of the framed view
LONGEST_SIDE = 1024  # pixels of a mask, when its outline is measured


@dataclass(frozen=True, slots=True)
class Framing:
    """Where a landmark stands in the square: the same for all its views.

    Attributes:
        foot: row of the foot on the axis, as a share of the frame's height from above.
        height: from foot to top on the axis, as a share of the frame's height.
        distance: in heights, from where this holds exactly.
    """

    foot: float = FOOT
    height: float = HEIGHT
    distance: float = DISTANCE

    def to_dict(self) -> dict[str, float]:
        """Return it as JSON values."""
        return {"foot": self.foot, "height": self.height, "distance": self.distance}


@dataclass(frozen=True, slots=True)
class Plan:
    """The outline of a landmark seen from above: how far it reaches from its axis in every direction, in metres.

    As a Fourier series about the compass; h(b) is the largest distance from the axis, along direction b, of any of its
    points (the support function of its convex hull).

    Attributes:
        terms: (2 K + 1,): the mean, then cosines and sines of 1 to K times the angle.
        covariance: of the terms.
    """

    terms: Floats
    covariance: Floats

    @classmethod
    def unknown(cls, radius: float = 0.0) -> Plan:
        """A circle of a radius in metres, of which nothing is known."""
        terms = np.zeros(2 * HARMONICS + 1)
        terms[0] = radius
        return cls(terms, np.diag(_prior(max(radius, 1e-6))))

    def reach(self, direction: float | Floats) -> Floats:
        """Metres from the axis in directions (...,) in degrees clockwise from north."""
        result: Floats = _basis(np.asarray(direction, dtype=np.float64)) @ self.terms
        return result

    def sigma(self, weights: Floats) -> float:
        """Standard deviation of a weighted sum (2 K + 1,) of the terms."""
        return math.sqrt(max(0.0, float(weights @ self.covariance @ weights)))


def _basis(direction: Floats) -> Floats:
    """(..., 2 K + 1): 1, cosines, sines of directions in degrees."""
    angle = np.radians(direction)[..., None] * np.arange(1, HARMONICS + 1)
    return np.concatenate([np.ones((*np.shape(direction), 1)), np.cos(angle), np.sin(angle)], axis=-1)


def _prior(radius: float) -> Floats:
    """Variances of the terms: outlines have corners, so the terms fall slowly; the axis is about the middle."""
    orders = np.arange(1, HARMONICS + 1)
    wide = (np.where(orders == 1, 0.3, 0.8 / orders**1.5) * radius) ** 2
    return np.concatenate([[(2 * radius) ** 2], wide, wide])


def fit_plan(
    azimuths: Floats, distances: Floats, left: Floats, right: Floats, sum_sigma: Floats, offset_sigma: Floats
) -> Plan:
    """Find the outline whose edges the photos show.

    The line of sight that touches the outline at an angle d to the right of the axis passes the axis at D sin d, and
    is square to direction a - 90 + d: h(a - 90 + d_right) = D sin d_right, h(a + 90 + d_left) = -D sin d_left. Where
    the axis stands in a picture is known only to a few degrees, so the difference of both weighs little and their sum,
    the width, much. Linear least squares with Huber's weights.

    Args:
        azimuths: (N,) of the cameras in degrees.
        distances: (N,) from the axis in metres.
        left, right: (N,) angles in degrees from the axis to the edges, left negative.
        sum_sigma: (N,) standard deviations of the widths in metres.
        offset_sigma: (N,) standard deviations in degrees of where the axis stands; those of h's difference follow.
    """
    sin_left, sin_right = np.sin(np.radians(left)), np.sin(np.radians(right))
    basis_right, basis_left = _basis(azimuths - 90 + right), _basis(azimuths + 90 + left)
    # Nearer sides look wider, so widths would move the axis if distances were a little wrong on one side. Only the
    # difference may do that: widths count for what is the same on opposite sides.
    even = np.concatenate([[1.0], *2 * [np.arange(1, HARMONICS + 1) % 2 == 0]])
    rows = np.concatenate([(basis_right + basis_left) * even, basis_right - basis_left])
    values = np.concatenate([distances * (sin_right - sin_left), distances * (sin_right + sin_left)])
    sigma = np.concatenate([sum_sigma, np.hypot(sum_sigma, 2 * distances * np.radians(offset_sigma))])
    radius = float(np.median(distances * (sin_right - sin_left))) / 2
    prior = 1 / _prior(max(radius, 0.01))
    start = np.zeros(rows.shape[1])
    start[0] = radius
    terms = start
    weights = np.ones(len(values))
    for _ in range(4):
        scaled = rows * (weights / sigma**2)[:, None]
        normal = scaled.T @ rows + np.diag(prior)
        terms = np.linalg.solve(normal, scaled.T @ values + prior * start)
        off = np.abs(values - rows @ terms) / sigma
        weights = np.minimum(1.0, 1.5 / np.maximum(off, 1e-9))
    return Plan(terms, np.linalg.inv(normal))


@dataclass(slots=True)
class Outline:
    """What a mask says of one photo, and what has been solved from it.

    Attributes:
        source: the photo as its file says it.
        photo: the same with a better azimuth.
        mask: file of the mask.
        points: (N, 2) right and up of the edge of the mask, as multiples of the focal length from the middle.
        foot_seen: whether the mask ends above the lower edge of the picture.
        roll: of the camera clockwise about its axis, degrees.
        pitch: of the optical axis above the horizon, degrees.
        yaw: of the landmark's axis to the right of the optical axis, on the ground, degrees.
        yaw_sigma: its standard deviation.
        distance: from the axis in metres.
        top, foot: tangents of the elevation of the top and the foot, in the level view at the axis.
        left, right: angles in degrees from the axis to the edges of its lower part, left negative.
        top_left, top_right: those of its top.
    """

    source: LandmarkPhoto
    photo: LandmarkPhoto
    mask: Path
    points: Floats
    foot_seen: bool
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    yaw_sigma: float = 180.0
    distance: float = 1.0
    top: float = 0.0
    foot: float = 0.0
    left: float = 0.0
    right: float = 0.0
    top_left: float = 0.0
    top_right: float = 0.0

    @property
    def azimuth(self) -> float:
        """Of the camera, the best that is known, in degrees."""
        return self.photo.azimuth


def mask_of(photo: Path, folder: Path) -> Path | None:
    """Return the file of a photo's mask: a PNG of the same stem, or None."""
    return next((path for end in MASK_SUFFIXES if (path := folder / f"{photo.stem}{end}").is_file()), None)


def read_mask(path: Path, size: tuple[int, int]) -> Floats:
    """Return a mask (height, width), 0 to 1, of a photo of `size` (width, height).

    Raises:
        GPSDreamError: of kind `bad_photo` if it is no picture, or of another shape.
    """
    try:
        with open_picture(path) as image:
            grey = image.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise GPSDreamError(ErrorKind.BAD_PHOTO, "The mask cannot be read.", "Draw it again.", repr(error)) from error
    if grey.size != size:
        if abs(grey.width * size[1] - grey.height * size[0]) > 2 * max(*grey.size, *size):
            raise GPSDreamError(
                ErrorKind.BAD_PHOTO, "The mask has another shape than the photo.", "Draw it again on the upright photo."
            )
        grey = grey.resize(size, Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.float64) / 255


def outline_of(photo: LandmarkPhoto, path: Path, mask: Floats) -> Outline:
    """Return the edge of a mask.

    Raises:
        GPSDreamError: of kind `bad_photo` if the mask is empty, small, or cut off by the picture's top or sides, or if
            the photo does not say its focal length.
    """
    if photo.focal_length is None:
        raise _unfit("The photo does not say its focal length.")
    focal = photo.focal_length * mask.shape[1] / photo.width
    # A few pixels on their own are not the landmark.
    inside = mask >= 0.5
    labels, count = ndimage.label(inside, np.ones((3, 3)))
    if count == 0:
        raise _unfit("The mask is empty.")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    inside = (sizes >= max(3, 0.002 * sizes.max()))[labels]
    height, width = mask.shape
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if max(tall, wide) ** 2 < SMALLEST * height * width:
        raise _unfit("The landmark is too small in the picture.")
    if rows[0] == 0:
        raise _unfit("The landmark's top is cut off.")
    if columns[0] == 0 or columns[-1] == width - 1:
        raise _unfit("The landmark's sides are cut off.")
    # The upper and the lower end of each column, the left and the right end of each row; to parts of a pixel along
    # the column, as far as the mask is soft.
    first, last = inside.argmax(0)[columns], height - 1 - inside[::-1].argmax(0)[columns]
    upper = first + 0.5 - (_at(mask, first, columns) - 0.5) - _at(mask, first - 1, columns)
    lower = last + 0.5 + (_at(mask, last, columns) - 0.5) + _at(mask, last + 1, columns)
    begin, end = inside.argmax(1)[rows], width - 1 - inside[:, ::-1].argmax(1)[rows]
    before = begin + 0.5 - (_at(mask, rows, begin) - 0.5) - _at(mask, rows, begin - 1)
    after = end + 0.5 + (_at(mask, rows, end) - 0.5) + _at(mask, rows, end + 1)
    tip_column, tip_row = _tip(mask, rows[0], columns[0], columns[-1] + 1)
    x = np.concatenate([columns + 0.5, columns + 0.5, before, after, tip_column])
    y = np.concatenate([upper, lower, rows + 0.5, rows + 0.5, tip_row])
    points = np.column_stack([(x - width / 2) / focal, (height / 2 - y) / focal])
    return Outline(photo, photo, path, points, bool(rows[-1] < height - 1))


def _tip(mask: Floats, top: int, left: int, right: int) -> tuple[Floats, Floats]:
    """The end of a mast that is too thin to fill half a pixel: its column and row, or nothing, (1,) or (0,)."""
    covered = mask[:top, left:right].sum(axis=1)[::-1]
    rise = int(np.argmax(covered <= 0.3)) if (covered <= 0.3).any() else len(covered)
    if rise < 2:
        return np.zeros(0), np.zeros(0)
    columns = np.arange(left, right) + 0.5
    row = top - rise
    return np.array([mask[row, left:right] @ columns / covered[rise - 1]]), np.array([float(row)])


def _at(mask: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
    """Values of a mask; 0 outside."""
    padded = np.pad(mask, 1)
    result: Floats = padded[rows + 1, columns + 1]
    return result


def _unfit(why: str) -> GPSDreamError:
    return GPSDreamError(ErrorKind.BAD_PHOTO, why)


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the matrix (3, 3) from right, up, forward of a camera to those of a level one that looks at the axis.

    Args:
        yaw: of the axis to the right of the camera's heading, degrees.
        pitch: of the camera above the horizon, degrees.
        roll: of the camera clockwise, degrees.
    """
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    unroll = np.array([[math.cos(r), math.sin(r), 0], [-math.sin(r), math.cos(r), 0], [0, 0, 1]])
    lift = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    turn = np.array([[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]])
    result: Floats = turn @ lift @ unroll
    return result


def level(outline: Outline) -> Floats:
    """The edge of the mask in the level view at the axis, (N, 2): tangents to the right and upwards."""
    points = outline.points
    rays = np.column_stack([points, np.ones(len(points))]) @ rotation(outline.yaw, outline.pitch, outline.roll).T
    depth = np.maximum(rays[:, 2:], 1e-3)
    result: Floats = rays[:, :2] / depth
    return result


def _distance_of(span: float, height: float, top_depth: float, foot_depth: float) -> float:
    """The distance of the axis in metres at which the landmark spans an angle from foot to top, in radians."""
    low, high = max(top_depth, foot_depth) + 0.05 * height, 400.0 * height
    for _ in range(60):
        middle = math.sqrt(low * high)
        seen = math.atan2(height - EYE, middle - top_depth) + math.atan2(EYE, middle - foot_depth)
        low, high = (middle, high) if seen > span else (low, middle)
    return math.sqrt(low * high)


def solve(outline: Outline, height: float, plan: Plan, top_plan: Plan, *, by_width: bool = False) -> None:
    """Find pitch and distance of a photo from the rows of the landmark's top and foot, and write them into it.

    With the depth of the landmark known, the angle between both rows gives the distance, and weighs with what place and
    width say. Somebody may stand before the foot: if it looks much farther off than those say, the top alone counts.

    Args:
        outline: of the photo; its yaw and roll are taken as they are.
        height: of the landmark in metres.
        plan: of the landmark.
        top_plan: of its top.
        by_width: whether the width tells the distance too; not before the plan is known.
    """
    photo = outline.photo
    focal = photo.focal_length_35mm or 1.0
    foot_depth = min(float(plan.reach(photo.azimuth)), 0.8 * photo.distance)
    top_depth = min(float(top_plan.reach(photo.azimuth)), 0.8 * photo.distance)
    near, near_sigma = _place_distance(photo)
    if by_width:
        near, near_sigma = _width_distance(outline, plan, near, near_sigma)
    for _ in range(5):
        seen = level(outline)
        top, foot = math.atan(seen[:, 1].max()), math.atan(seen[:, 1].min())
        span = top - foot
        measured = _distance_of(span, height, top_depth, foot_depth)
        pixels = span * (photo.focal_length or 1.0)
        sigma = math.sqrt((LENS_ERROR / focal) ** 2 + (1.5 / pixels) ** 2 + 0.015**2)
        far = math.log(measured / near) / math.hypot(sigma, near_sigma)
        trusted = outline.foot_seen and far < 2.5
        share = near_sigma**2 / (near_sigma**2 + sigma**2) if trusted else 0.0
        outline.distance = max(near * (measured / near) ** share, 1.05 * max(top_depth, foot_depth, 1.0))
        top_wanted = math.atan2(height - EYE, outline.distance - top_depth)
        foot_wanted = -math.atan2(EYE, outline.distance - foot_depth)
        change = (top_wanted - top + foot_wanted - foot) / 2 if trusted else top_wanted - top
        outline.pitch = min(max(outline.pitch + math.degrees(change), -60.0), 80.0)
    seen = level(outline)
    outline.top = float(seen[:, 1].max())
    outline.foot = float(seen[:, 1].min()) if trusted else math.tan(foot_wanted)
    bearings = np.degrees(np.arctan(seen[:, 0]))
    up = (seen[:, 1] * outline.distance + EYE) / height  # of what stands as far off as the axis
    lower = bearings[up < 0.6]
    upper = bearings[up > 0.87]
    outline.left, outline.right = float(lower.min()), float(lower.max())
    outline.top_left, outline.top_right = float(upper.min()), float(upper.max())


def _place_distance(photo: LandmarkPhoto) -> tuple[float, float]:
    """The distance in metres that the place gives, and the standard deviation of its logarithm."""
    return photo.distance, photo.distance_sigma / max(photo.distance, photo.distance_sigma)


def _width_distance(outline: Outline, plan: Plan, gps: float, gps_sigma: float) -> tuple[float, float]:
    """A better distance in metres by how wide the landmark looks, and the standard deviation of its logarithm."""
    photo = outline.photo
    seen = math.sin(math.radians(outline.right)) - math.sin(math.radians(outline.left))
    if seen <= 0:
        return gps, gps_sigma
    turns = photo.azimuth + np.array([-1.0, 0.0, 1.0]) * max(photo.azimuth_sigma, 0.1)
    widths = plan.reach(turns - 90 + outline.right) + plan.reach(turns + 90 + outline.left)
    wide = max(float(widths[1]), 1e-6)
    pixels = seen * (photo.focal_length or 1.0)
    turned = (abs(float(widths[2] - widths[1])) + abs(float(widths[0] - widths[1]))) / 2 / wide
    sigma = math.sqrt(turned**2 + (LENS_ERROR / (photo.focal_length_35mm or 1.0)) ** 2 + (2 / pixels) ** 2 + 0.02**2)
    off = math.log(wide / seen / gps)
    # Something may stand before one of its sides.
    if abs(off) > 3 * math.hypot(sigma, gps_sigma):
        return gps, gps_sigma
    share = gps_sigma**2 / (gps_sigma**2 + sigma**2)
    return gps * math.exp(share * off), gps_sigma * sigma / math.hypot(gps_sigma, sigma)


def solve_all(outlines: Sequence[Outline], height: float, rounds: int = 4) -> tuple[Plan, Plan]:
    """Find the cameras of all photos of a landmark, and its plan, from each other in turns.

    Args:
        outlines: of the photos; solved in place.
        height: of the landmark in metres.
        rounds: how often.

    Returns:
        The plan of the whole, and that of its top.
    """
    plan = top_plan = Plan.unknown()
    for outline in outlines:
        photo = outline.photo
        middle = math.degrees(math.atan((outline.points[:, 0].min() + outline.points[:, 0].max()) / 2))
        outline.yaw, outline.yaw_sigma = middle, 30.0
        outline.distance = photo.distance
    for _ in range(rounds):
        for outline in outlines:
            solve(outline, height, plan, top_plan)
        azimuths, distances = _column(outlines, "azimuth"), _column(outlines, "distance")
        # From the yaw of now to the one that place and compass give.
        shifts, sigmas = np.array([_stated(outline) for outline in outlines]).T
        left, right = _column(outlines, "left"), _column(outlines, "right")
        widths = distances * (np.sin(np.radians(right)) - np.sin(np.radians(left)))
        errors = np.hypot(0.025 * widths, 0.003 * distances)
        plan = fit_plan(azimuths, distances, left - shifts, right - shifts, errors, sigmas)
        for outline, shift, sigma, error in zip(outlines, shifts, sigmas, errors, strict=True):
            _centre(outline, plan, float(shift), float(sigma), float(error))
        # From nearby one sees of the top only the corner that is nearest.
        far = distances >= np.median(distances)
        top_plan = fit_plan(
            _column(outlines, "azimuth")[far],
            distances[far],
            _column(outlines, "top_left")[far],
            _column(outlines, "top_right")[far],
            errors[far],
            _column(outlines, "yaw_sigma")[far],
        )
    for outline in outlines:
        solve(outline, height, plan, top_plan, by_width=True)
    return plan, top_plan


def _column(outlines: Sequence[Outline], name: str) -> Floats:
    return np.array([getattr(outline, name) for outline in outlines], dtype=np.float64)


def _stated(outline: Outline) -> tuple[float, float]:
    """How far the axis stands to the right of `yaw` as place and compass say, and the standard deviation, degrees.

    Where they say nothing, or what cannot be, the middle of the mask.
    """
    photo, middle = outline.source, (outline.left + outline.right) / 2
    half = (outline.right - outline.left) / 2
    if photo.heading is not None:
        sigma = math.hypot(photo.heading_sigma, photo.azimuth_sigma)
        shift = angle_between(photo.azimuth + 180.0 - photo.heading, outline.yaw)
        if abs(shift - middle) < half + 3 * sigma:
            return shift, sigma
    return middle, max(half, 3.0)


def _centre(outline: Outline, plan: Plan, shift: float, sigma: float, error: float) -> None:
    """Find where the axis stands in a photo from both edges, and with it a better azimuth.

    Args:
        outline: of the photo; its yaw, and the angles that count from it, change.
        plan: of the landmark.
        shift: of the axis to the right as place and compass say, degrees.
        sigma: standard deviation of that.
        error: of the width in metres.
    """
    found, found_sigma = shift, sigma
    for _ in range(3):
        left, right = outline.left - found, outline.right - found
        weights = _basis(np.asarray(outline.azimuth - 90 + right)) - _basis(np.asarray(outline.azimuth + 90 + left))
        passed = outline.distance * (math.sin(math.radians(left)) + math.sin(math.radians(right)))
        edges = found + math.degrees((passed - float(weights @ plan.terms)) / (2 * outline.distance))
        edges_sigma = math.degrees(math.hypot(plan.sigma(weights), error) / (2 * outline.distance))
        share = sigma**2 / (sigma**2 + edges_sigma**2)
        found = shift + share * (edges - shift)
        found_sigma = sigma * edges_sigma / math.hypot(sigma, edges_sigma)
    outline.yaw += found
    outline.yaw_sigma = found_sigma
    for name in ("left", "right", "top_left", "top_right"):
        setattr(outline, name, getattr(outline, name) - found)
    outline.photo = with_direction(outline.source, outline.yaw, edges_sigma)


def height_of(outlines: Sequence[Outline]) -> float:
    """Estimate the height in metres of a landmark of which nobody knows it: the median over its photos.

    The foot lies 1.6 m under the camera at a distance that the place gives, which fixes the pitch and so the top.

    Raises:
        GPSDreamError: if no photo shows the foot.
    """
    heights = []
    for outline in outlines:
        if not outline.foot_seen:
            continue
        distance = outline.photo.distance
        rows = np.arctan(outline.points[:, 1])
        top = rows.max() - rows.min() - math.atan2(EYE, distance)
        heights.append(EYE + distance * math.tan(min(top, 1.45)))
    if not heights:
        raise _unfit("No photo shows the landmark's foot, so its height cannot be told.")
    return float(np.median(heights))


@dataclass(frozen=True, slots=True)
class Crop:
    """What brings a framed view back to its photo.

    A point at column u and row v of the view (shares of its side, from the upper left) lies at the tangents
    x = (u - 0.5) / scale and y = (horizon - v) / scale of a level camera that looks at the axis; turned back by yaw,
    pitch and roll (degrees, see `rotation`) and multiplied by `focal` pixels it lies in the photo, from its middle.
    """

    yaw: float
    pitch: float
    roll: float
    focal: float
    scale: float
    horizon: float

    def to_dict(self) -> dict[str, float]:
        """Return it as JSON values."""
        return {name: round(getattr(self, name), 6) for name in self.__slots__}

    def pixels(self, u: Floats, v: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
        """Return column and row in a photo of `size` (width, height) of points of the view; NaN behind the camera."""
        x, y = (u - 0.5) / self.scale, (self.horizon - v) / self.scale
        back = rotation(self.yaw, self.pitch, self.roll).T
        right, up, forward = (back[i, 0] * x + back[i, 1] * y + back[i, 2] for i in range(3))
        depth = np.where(forward > 1e-6, forward, np.nan)
        return size[0] / 2 + self.focal * right / depth, size[1] / 2 - self.focal * up / depth


def crop_of(outline: Outline, height: float, plan: Plan, top_plan: Plan, framing: Framing) -> Crop:
    """Return the crop of a solved photo.

    Seen from the framing's distance, foot and top of the axis stand at their rows, and what is nearer to the camera
    than the axis stands a little above and below, as in any photograph. Each photo is scaled to the very rows that
    the landmark's outline would have from there, so that views of one azimuth agree whatever their distance.
    """
    away = framing.distance * height
    scale = framing.height * framing.distance
    horizon = framing.foot - scale * EYE / away
    top_depth = min(float(top_plan.reach(outline.photo.azimuth)), 0.8 * away)
    foot_depth = min(float(plan.reach(outline.photo.azimuth)), 0.8 * away)
    top = horizon - scale * (height - EYE) / (away - top_depth)
    foot = horizon + scale * EYE / (away - foot_depth)
    fitted = (foot - top) / (outline.top - outline.foot)
    return Crop(
        outline.yaw,
        outline.pitch,
        outline.roll,
        outline.photo.focal_length or 1.0,
        fitted,
        foot + fitted * outline.foot,
    )


def framing_of(plan: Plan, height: float) -> Framing:
    """Return the framing of a landmark: that of all, or a smaller one if the landmark is wider than 90 % of it."""
    directions = np.arange(0.0, 360.0, 5.0)
    widest = float((plan.reach(directions) + plan.reach(directions + 180)).max())
    return Framing(height=min(HEIGHT, WIDEST * height / max(widest, 1e-6)))


def framed(photo: Bytes, mask: Floats, crop: Crop, side: int) -> Bytes:
    """Return a framed view.

    Args:
        photo: (height, width, 3), sRGB.
        mask: (height, width), 0 to 1.
        crop: of the photo.
        side: of the view in pixels.

    Returns:
        (side, side, 4): red, green and blue over the background, and the mask.
    """
    height, width = mask.shape
    result: Bytes = np.zeros((side, side, 4), np.uint8)
    result[..., :3] = np.round(np.array(BACKGROUND) * 255)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return result
    # Only the box of the mask, in the photo and in the view, is worth the work.
    part = np.s_[max(rows[0] - 3, 0) : rows[-1] + 4, max(columns[0] - 3, 0) : columns[-1] + 4]
    inside, colours = mask[part], own_colours(photo[part], mask[part])
    u, v = np.meshgrid(*2 * [np.arange(side + 1) / side])
    column, row = crop.pixels(u, v, (width, height))
    hit = (column >= columns[0] - 1) & (column <= columns[-1] + 2) & (row >= rows[0] - 1) & (row <= rows[-1] + 2)
    across, down = np.flatnonzero(hit.any(0)), np.flatnonzero(hit.any(1))
    if not len(across):
        return result
    left, right = max(across[0] - 1, 0), min(across[-1] + 1, side)
    above, below = max(down[0] - 1, 0), min(down[-1] + 1, side)
    u, v = np.meshgrid(_centres(left, right) / side, _centres(above, below) / side)
    column, row = crop.pixels(u, v, (width, height))
    at = np.nan_to_num(np.stack([row - part[0].start - 0.5, column - part[1].start - 0.5]), nan=-10.0)
    layers = [*np.moveaxis(colours * inside[..., None], -1, 0), inside]
    # The lower edge of the picture may cut the foot: nothing is made up beyond it.
    sampled = [ndimage.map_coordinates(layer, at, order=1, mode="constant") for layer in layers]
    fine = np.stack(sampled, axis=-1).reshape(below - above, SAMPLES, right - left, SAMPLES, 4)
    pixels = fine.mean(axis=(1, 3))
    pixels[..., :3] += (1 - pixels[..., 3:]) * np.array(BACKGROUND) * 255
    pixels[..., 3] *= 255
    result[above:below, left:right] = np.clip(np.round(pixels), 0, 255)
    return result


def _centres(first: int, last: int) -> Floats:
    """Middles of the samples of the pixels from `first` to `last`, in pixels."""
    result: Floats = first + (np.arange((last - first) * SAMPLES) + 0.5) / SAMPLES
    return result


def own_colours(photo: Bytes, mask: Floats) -> Floats:
    """Return the photo (height, width, 3) with the colours of the mask's rim replaced by the landmark's own.

    A pixel on the rim is part sky; it takes the colour of the nearest pixel that is all landmark, up to 2 pixels away.
    """
    colours = photo.astype(np.float64)
    sure = mask > 0.97
    if not sure.any():
        return colours
    away, nearest = ndimage.distance_transform_edt(~sure, return_indices=True)
    rim = (away > 0) & (away <= 2.3)
    colours[rim] = colours[nearest[0][rim], nearest[1][rim]]
    return colours


def held_out(name: str) -> bool:
    """Whether a photo is kept for tests: about one in ten, by a hash of its file's name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % HELD_OUT == 0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the photos.

    Attributes:
        framed: how many views there are of each landmark.
        left_out: photos that were not used, and why.
        framings: of each landmark.
    """

    framed: Mapping[str, int]
    left_out: Sequence[LeftOut]
    framings: Mapping[str, Framing] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """What became of the photos, for a person."""
        said = [f"{count} views of {name}." for name, count in self.framed.items()]
        reasons = Counter(photo.why for photo in self.left_out)
        return said + [f"{count} left out: {why}" for why, count in reasons.most_common()]


def outlines_of(photos: Sequence[LandmarkPhoto], masks: Path) -> tuple[list[Outline], list[LeftOut]]:
    """Read the masks of a landmark's photos; those that do not fit come back with the reason."""
    outlines, left_out = [], []
    for photo in photos:
        path = mask_of(photo.path, masks)
        try:
            if path is None:
                raise _unfit("There is no mask for it.")
            outlines.append(outline_of(photo, path, read_mask(path, _fitted((photo.width, photo.height)))))
        except GPSDreamError as error:
            left_out.append(LeftOut(photo.path, error.failure.message))
    return outlines, left_out


def view_of(outline: Outline, crop: Crop, which: Landmark, height: float) -> dict[str, Any]:
    """Return what `views.json` says about a view."""
    photo = outline.photo
    return {
        "landmark": which.id,
        "file": photo.path.name,
        "azimuth": round(photo.azimuth, 3),
        "azimuth_sigma": round(photo.azimuth_sigma, 3),
        "distance": round(outline.distance / height, 5),
        "fov": round(photo.fov or 0.0, 3),
        "prompt": which.prompt + (", at night" if photo.night else ""),
        "held_out": held_out(photo.path.name),
        "crop": crop.to_dict(),
    }


@dataclass(frozen=True, slots=True)
class Source:
    """The photos of one landmark.

    Attributes:
        landmark: which.
        photos: of it.
        masks: folder of their masks.
        height_known: if not, the height is told from the photos.
    """

    landmark: Landmark
    photos: Sequence[LandmarkPhoto]
    masks: Path
    height_known: bool = True


def frame_photos(
    landmarks: Sequence[Landmark],
    photos: Path | Sequence[PhotoRecord],
    masks: Path,
    out: Path,
    side: int = 96,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Frame the photos of some landmarks in one folder; each photo goes to the landmark that it shows.

    Args:
        landmarks: to frame.
        photos: a folder, or records of the photo catalogue.
        masks: folder of the masks, PNGs of the photos' stems.
        out, side, progress: as for `frame_sources`, which also says what is written and raised.
    """
    records, left_out = records_in(photos) if isinstance(photos, Path) else (list(photos), [])
    sources = [Source(which, photos_of(which, records, landmarks), masks) for which in landmarks]
    report = frame_sources(sources, out, side, progress=progress)
    return replace(report, left_out=[*left_out, *report.left_out])


def frame_sources(
    sources: Sequence[Source],
    out: Path,
    side: int = 96,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Frame all photos of some landmarks, and write them as one folder.

    `views.json` says of each view: landmark, file, azimuth and its sigma in degrees, distance in heights, vertical
    field of view of the photo in degrees, prompt, whether it is held out, and what brings it back to the photo
    (`Crop`). `pixels.bin` holds the views in the same order: uint8 (N, side, side, 4), RGB over the background and the
    mask.

    Args:
        sources: the photos.
        out: folder to write; a former one is replaced file by file.
        side: of the views in pixels, 16 to 1024.
        progress: told how many of how many views are written.

    Raises:
        GPSDreamError: if a number is out of range, no photo is left, or the disk refuses.
    """
    if not 16 <= side <= 1024:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"Framed views are 16 to 1,024 pixels wide, not {side}.")
    left_out: list[LeftOut] = []
    planned: list[tuple[Outline, Crop, Landmark, float]] = []
    counts: dict[str, int] = {}
    framings: dict[str, Framing] = {}
    for source in sources:
        which = source.landmark
        outlines, unfit = outlines_of(source.photos, source.masks)
        left_out += unfit
        if not outlines:
            continue
        height = which.height if source.height_known else height_of(outlines)
        plan, top_plan = solve_all(outlines, height)
        framings[which.id] = framing_of(plan, height)
        crops = [crop_of(outline, height, plan, top_plan, framings[which.id]) for outline in outlines]
        planned += [(outline, crop, which, height) for outline, crop in zip(outlines, crops, strict=True)]
        counts[which.id] = len(outlines)
    if not planned:
        said = " ".join(Report({}, left_out).sentences()[:3])
        raise GPSDreamError(
            ErrorKind.BAD_PHOTO, f"No photo can be framed. {said}".strip(), "Check the photos' places and masks."
        )
    used = [replace(which, height=tall) for which, tall in {one[2].id: (one[2], one[3]) for one in planned}.values()]
    views = [view_of(*one) for one in planned]
    about = {
        "side": side,
        "background": list(BACKGROUND),
        "framing": {name: framing.to_dict() for name, framing in framings.items()},
        "landmarks": [which.to_dict() for which in used],
        "views": views,
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        with whole_file(out / "pixels.bin") as temporary, temporary.open("wb") as file:
            for number, (outline, crop, _which, _height) in enumerate(planned, 1):
                file.write(framed_photo(outline, crop, side).tobytes())
                if progress is not None:
                    progress(number, len(planned))
        with whole_file(out / "views.json") as temporary:
            temporary.write_text(json.dumps(about, indent=1), encoding="utf-8")
    except OSError as error:
        raise GPSDreamError(
            ErrorKind.DISK_FULL,
            f"The framed views cannot be written ({error.strerror or error}).",
            "Free some space, or choose another folder.",
            repr(error),
        ) from error
    return Report(counts, left_out, framings)


def framed_photo(outline: Outline, crop: Crop, side: int) -> Bytes:
    """Read a photo and its mask, and return the framed view (side, side, 4)."""
    with open_picture(outline.photo.path) as image:
        picture = ImageOps.exif_transpose(image).convert("RGB")
    # A large photo is made smaller first: about as many pixels as there are samples.
    smaller = max(1, int(crop.focal / (crop.scale * side * SAMPLES)))
    picture = picture.reduce(smaller)
    mask = read_mask(outline.mask, picture.size)
    focal = crop.focal * picture.width / outline.photo.width
    return framed(np.asarray(picture), mask, replace(crop, focal=focal), side)


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    """A size in pixels at which an outline is measured."""
    share = min(1.0, LONGEST_SIDE / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def read_framed(folder: Path) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Return what `views.json` says, and the pixels (N, side, side, 4), mapped from the file.

    Raises:
        GPSDreamError: of kind `bad_request` if the folder is not one that `frame_photos` wrote.
    """
    try:
        about = json.loads((folder / "views.json").read_bytes())
        shape = (len(about["views"]), int(about["side"]), int(about["side"]), 4)
        pixels = np.memmap(folder / "pixels.bin", np.uint8, "r", shape=shape)
        if (folder / "pixels.bin").stat().st_size != pixels.nbytes:
            raise ValueError("another size")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, "The folder does not hold framed views.", "Frame the photos again.", repr(error)
        ) from error
    return about, pixels
