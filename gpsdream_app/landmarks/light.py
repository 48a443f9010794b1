"""Sun, sky, weather and night: the light on what a camera sees, computed per pixel in numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gpsdream_app.landmarks.camera import Camera, ParallelView
from gpsdream_app.landmarks.materials import MATERIALS, NAMES
from gpsdream_app.landmarks.renderer import Renderer, Scene, depth_of, to_linear, to_srgb
from gpsdream_app.landmarks.solids import Floats, Ints
from gpsdream_app.landmarks.sun import NIGHT_BELOW

SHADOW_SIZE = 896


class Weather(StrEnum):
    """What the sky does."""

    CLEAR = "clear"
    CLOUDY = "cloudy"
    OVERCAST = "overcast"
    RAIN = "rain"
    FOG = "fog"


@dataclass(frozen=True, slots=True)
class Conditions:
    """When a photo is taken.

    Attributes:
        sun: azimuth and elevation in degrees.
        weather: what the sky does.
        exposure: factor of the right brightness.
        warmth: of the white balance, -1 (cold) to 1 (warm).
        seed: of clouds, noise, lit windows.
    """

    sun: tuple[float, float]
    weather: Weather
    exposure: float = 1.0
    warmth: float = 0.0
    seed: int = 0

    @property
    def is_night(self) -> bool:
        """Whether the lamps are lit."""
        return self.sun[1] < NIGHT_BELOW


def direction(azimuth: float, elevation: float) -> Floats:
    """Return the unit vector, east-north-up, of an azimuth and an elevation in degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.sin(a) * math.cos(e), math.cos(a) * math.cos(e), math.sin(e)])


@cache
def _noise(seed: int) -> Floats:
    """A tile (512, 512) of 1/f noise that repeats, mean 0.5, about 0 to 1."""
    rng = np.random.default_rng([4, seed])
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(512, 512))) / frequency**1.5
    spectrum[0, 0] = 0
    tile = np.fft.irfft2(spectrum)
    result: Floats = np.clip(0.5 + tile / (5 * tile.std()), 0, 1)
    return result


def _sample(tile: Floats, u: Floats, v: Floats) -> Floats:
    """The tile at (u, v), which count in tiles; the nearest value."""
    result: Floats = tile[(v * 512).astype(np.int64) % 512, (u * 512).astype(np.int64) % 512]
    return result


def _smooth(values: Floats, low: float, high: float) -> Floats:
    share = np.clip((values - low) / (high - low), 0, 1)
    result: Floats = share * share * (3 - 2 * share)
    return result


# Linear colours by the sun's elevation in degrees: zenith, horizon, and the sun's own light.
_ELEVATIONS = (-12.0, -5.0, 0.0, 5.0, 15.0, 40.0)
_ZENITH = np.array(
    [
        (0.006, 0.009, 0.022),
        (0.03, 0.05, 0.13),
        (0.10, 0.17, 0.36),
        (0.15, 0.27, 0.54),
        (0.15, 0.31, 0.66),
        (0.11, 0.28, 0.68),
    ]
)
_HORIZON = np.array(
    [
        (0.022, 0.020, 0.026),
        (0.20, 0.14, 0.15),
        (0.72, 0.42, 0.28),
        (0.86, 0.66, 0.48),
        (0.68, 0.76, 0.82),
        (0.58, 0.74, 0.90),
    ]
)
_SUN = np.array([(0, 0, 0), (0, 0, 0), (0.5, 0.2, 0.07), (1.25, 0.72, 0.36), (1.75, 1.40, 1.05), (2.0, 1.85, 1.62)])


def _by_elevation(table: Floats, elevation: float) -> Floats:
    return np.array([np.interp(elevation, _ELEVATIONS, table[:, channel]) for channel in range(3)])


class Sky:
    """The light that comes from each direction."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        elevation = conditions.sun[1]
        self.sun_direction = direction(*conditions.sun)
        self.zenith, self.horizon = _by_elevation(_ZENITH, elevation), _by_elevation(_HORIZON, elevation)
        self.sunlight = _by_elevation(_SUN, elevation)
        self.cover = {Weather.CLEAR: 0.12, Weather.CLOUDY: 0.5}.get(conditions.weather, 1.0)
        if self.cover == 1.0:
            grey = float((self.zenith + self.horizon).mean() / 2)
            tone = {Weather.RAIN: 0.75, Weather.FOG: 1.25}.get(conditions.weather, 1.1)
            self.zenith = grey * tone * np.array([0.92, 0.97, 1.05])
            self.horizon = self.zenith * 1.12
            self.sunlight = self.sunlight * {Weather.FOG: 0.08, Weather.RAIN: 0.0}.get(conditions.weather, 0.12)
        self.haze = self.horizon * 0.9 + self.zenith * 0.1
        # Lamps of the city under the clouds.
        if conditions.is_night:
            self.horizon = self.horizon + np.array([0.030, 0.021, 0.013])
        self.ambient = self.zenith * 0.40 + self.horizon * 0.60
        self.range = {Weather.CLEAR: 9000.0, Weather.CLOUDY: 7000.0, Weather.OVERCAST: 3000.0}.get(
            conditions.weather, 1300.0 if conditions.weather is Weather.RAIN else 330.0
        )

    def seen(self, rays: Floats) -> Floats:
        """Linear colours (..., 3) in directions (..., 3) of any length."""
        unit = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        up = np.clip(unit[..., 2], 0, 1)
        share = ((1 - up) ** 3.2)[..., None]
        colour = self.zenith * (1 - share) + self.horizon * share
        towards = np.clip(unit @ self.sun_direction, 0, 1)
        glow = 0.30 * towards**6 + 0.9 * towards**60
        colour = colour + glow[..., None] * self.sunlight * (0.35 if self.cover < 1 else 0.1)
        tile = _noise(self.conditions.seed % 5)
        shift = (self.conditions.seed % 997) / 997
        u, v = (unit[..., axis] / (up + 0.14) * 0.16 + shift for axis in (0, 1))
        shape = 0.7 * _sample(tile, u, v) + 0.3 * _sample(tile, u * 3.1, v * 3.1)
        if self.cover < 1:
            low = 0.74 - 0.42 * self.cover
            cloud = _smooth(shape, low, low + 0.22) * _smooth(up, 0.0, 0.12)
            white = self.ambient * 0.75 + self.sunlight * 0.34
            shade = 1 - 0.35 * _smooth(shape, low + 0.15, low + 0.45)
            clouded: Floats = colour * (1 - cloud[..., None]) + white * (cloud * shade)[..., None]
            return clouded
        grey: Floats = colour * (0.82 + 0.36 * shape)[..., None]
        return grey


# What lies on the ground about each landmark, by the distance in metres from its foot.
_GROUNDS = {
    "washington-square-arch": ((34.0, "paving"), (70.0, "lawn"), (np.inf, "asphalt")),
    "flatiron": ((9.0, "paving"), (np.inf, "street")),
    "empire-state-building": ((20.0, "paving"), (np.inf, "street")),
    "arc-de-triomphe": ((48.0, "paving"), (118.0, "asphalt"), (np.inf, "street")),
    "leaning-tower-of-pisa": ((13.0, "paving"), (90.0, "lawn"), (np.inf, "asphalt")),
}
_GROUND_COLOURS = {"paving": (150, 143, 132), "lawn": (92, 118, 54), "asphalt": (92, 92, 94), "street": (98, 97, 98)}


def _ground(landmark_id: str, points: Floats, footprint: float) -> Floats:
    """Linear colours (n, 3) of points (n, 3) on the ground."""
    east, north = points[:, 0], points[:, 1]
    away = np.hypot(east, north)
    coarse = _sample(_noise(1), east / 160 % 1, north / 160 % 1)
    fine = _sample(_noise(2), east / 9 % 1, north / 9 % 1)
    limit = away + 8 * (coarse - 0.5)
    colour = np.zeros((len(points), 3))
    done = np.zeros(len(points), dtype=np.bool_)
    for reach, kind in _GROUNDS.get(landmark_id, ((np.inf, "paving"),)):
        edge = limit if kind != "paving" else away
        chosen = ~done & (edge < reach + (footprint if kind == "paving" and reach < 30 else 0))
        done |= chosen
        base = to_linear(_GROUND_COLOURS[kind]) * (0.78 + 0.3 * coarse[chosen] + 0.18 * fine[chosen])[:, None]
        if kind == "paving":
            joint = (np.mod(east[chosen], 1.5) < 0.06) | (np.mod(north[chosen], 1.5) < 0.06)
            number = np.floor(east[chosen] / 1.5) * 57 + np.floor(north[chosen] / 1.5) * 131
            base *= (1 + 0.10 * np.sin(number * 12.9898))[:, None]
            base *= np.where(joint, 0.72, 1.0)[:, None]
        elif kind == "lawn":
            base *= (0.8 + 0.4 * _sample(_noise(3), east[chosen] / 2.3 % 1, north[chosen] / 2.3 % 1))[:, None]
        elif kind == "street":
            # Pavements beside roads, in Manhattan's directions.
            turn = math.radians(29.0)
            across = east[chosen] * math.cos(turn) - north[chosen] * math.sin(turn)
            along = east[chosen] * math.sin(turn) + north[chosen] * math.cos(turn)
            light = (np.mod(across + 12, 60) > 38) | (np.mod(along + 6, 80) > 62)
            base *= np.where(light, 1.75, 1.0)[:, None]
            line = (np.mod(across + 12, 60) > 18.9) & (np.mod(across + 12, 60) < 19.1) & (np.mod(along, 9) < 4)
            base = np.where(line[:, None], 0.55, base)
        colour[chosen] = base
    return colour


def _hash(*values: NDArray[np.generic]) -> Floats:
    """Numbers in 0..1 that depend on whole numbers."""
    total = np.zeros(values[0].shape, dtype=np.float64)
    for index, value in enumerate(values):
        total = total + np.asarray(value, dtype=np.float64) * (12.9898, 78.233, 37.719, 93.989)[index]
    result: Floats = np.modf(np.abs(np.sin(total) * 43758.5453))[0]
    return result


_COLOURS = np.stack([to_linear(MATERIALS[name].colour) for name in NAMES])
_SECONDS = np.stack([to_linear(MATERIALS[name].second or MATERIALS[name].colour) for name in NAMES])
_COURSES = np.array([MATERIALS[name].courses for name in NAMES])
_SHARES = np.array([MATERIALS[name].share for name in NAMES])
_VARIATIONS = np.array([MATERIALS[name].variation for name in NAMES])
_GLASS = np.array([MATERIALS[name].glass for name in NAMES])
_GLOW = np.array([MATERIALS[name].glow for name in NAMES])
_ROUGH = np.array([MATERIALS[name].roughness for name in NAMES])
_HOUSES = np.array([name in ("city wall", "city brick", "paris wall", "italian wall") for name in NAMES])
_IS_STONE = np.array([MATERIALS[name].courses > 0 and not MATERIALS[name].glass for name in NAMES])


@dataclass(frozen=True)
class Picture:
    """A photo before it is written.

    Attributes:
        rgb: (height, width, 3) uint8 sRGB.
        mask: (height, width) float64, 0 to 1: how much of a pixel shows the landmark.
    """

    rgb: NDArray[np.uint8]
    mask: Floats


def photograph(
    renderer: Renderer,
    scene: Scene,
    camera: Camera,
    conditions: Conditions,
    landmark_id: str,
    *,
    samples: int = 2,
) -> Picture:
    """Take a photo of a scene.

    Args:
        renderer: to see with.
        scene: the landmark and what stands about it.
        camera: where from.
        conditions: when.
        landmark_id: the ground follows from it.
        samples: along each side of a pixel.
    """
    fine = camera.scaled(samples)
    rng = np.random.default_rng([9, conditions.seed])
    numbers = renderer.faces(scene, fine)
    normals_of = scene.normals()
    rays = fine.rays()
    eye = np.asarray(camera.eye)
    depth = depth_of(scene, numbers, fine, rays, normals_of)
    with np.errstate(divide="ignore"):
        to_ground = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
    on_ground = to_ground < np.minimum(depth - 0.02, 20_000.0)
    hit = (numbers >= 0) & ~on_ground
    depth = np.where(on_ground, to_ground, np.where(hit, depth, np.inf))
    solid = on_ground | hit

    sky = Sky(conditions)
    light = sky.seen(rays)
    points = eye + rays[solid] * depth[solid][:, None]
    ids = np.where(hit, numbers, -1)[solid]
    is_face = ids >= 0
    normals = np.zeros_like(points)
    normals[:, 2] = 1.0
    normals[is_face] = normals_of[ids[is_face]]
    away = np.where((normals * rays[solid]).sum(axis=1) > 0, -1.0, 1.0)
    normals *= away[:, None]
    material = np.where(is_face, scene.materials[ids], 0)
    landmark = is_face & scene.landmark[ids]

    own = scene.vertices[np.unique(scene.faces[scene.landmark])]
    height, footprint = float(own[:, 2].max()), float(np.hypot(own[:, 0], own[:, 1]).max())
    albedo = np.empty_like(points)
    albedo[~is_face] = _ground(landmark_id, points[~is_face], footprint)
    albedo[is_face], lit_windows = _surfaces(
        points[is_face], normals[is_face], material[is_face], scene.tints[ids[is_face]], landmark[is_face], conditions
    )
    shadow = _sunlit(renderer, scene, sky, points, normals, height, footprint)
    crevices = _crevices(np.where(solid, depth, np.inf), samples)[solid]

    facing_sun = np.clip(normals @ sky.sun_direction, 0, 1)
    up = normals[:, 2:] * 0.5 + 0.5
    bounce = (sky.ambient * 0.32 + sky.sunlight * 0.10) * np.array([1.0, 0.95, 0.86])
    total = sky.ambient * up * 1.05 + bounce * (1 - up)
    total *= crevices[:, None]
    total = total + sky.sunlight * (facing_sun * shadow)[:, None]
    if conditions.is_night:
        total = total + _lamps(points, normals, landmark, height) * crevices[:, None]
    colour = albedo * total
    wet = conditions.weather is Weather.RAIN
    shiny = np.where(
        is_face, np.where(_GLASS[material], 1.0, np.clip(0.5 - _ROUGH[material], 0, 1)), 0.35 if wet else 0.0
    )
    some = shiny > 0.01
    if some.any():
        unit = rays[solid][some] / np.linalg.norm(rays[solid][some], axis=1, keepdims=True)
        along = (unit * normals[some]).sum(axis=1, keepdims=True)
        mirrored = unit - 2 * along * normals[some]
        fresnel = 0.08 + 0.7 * (1 - np.abs(along)) ** 4
        # What the glass shows below the horizon is other houses.
        reflected = np.where(mirrored[:, 2:] > 0.02, sky.seen(mirrored) * 0.85, sky.ambient * 0.25)
        colour[some] += reflected * fresnel * shiny[some][:, None] * crevices[some][:, None]
    emitted = np.zeros_like(colour)
    if conditions.is_night or conditions.sun[1] < 6 or conditions.weather is Weather.RAIN:
        strength = 1.0 if conditions.is_night else 0.25
        emitted[is_face] = lit_windows[:, None] * np.array([1.0, 0.72, 0.36]) * 0.55 * strength
        emitted += np.where(is_face, _GLOW[material], 0.0)[:, None] * np.array([1.0, 0.8, 0.5]) * strength
    colour += emitted
    reach = np.linalg.norm(rays[solid], axis=1) * depth[solid]
    clear = np.exp(-reach / sky.range)[:, None]
    light[solid] = colour * clear + sky.haze * (1 - clear)
    below = ~solid & (rays[..., 2] < 0)
    light[below] = sky.haze
    return _develop(light, landmark, solid, samples, conditions, rng)


def _surfaces(
    points: Floats, normals: Floats, material: Ints, tints: Floats, landmark: NDArray[np.bool_], conditions: Conditions
) -> tuple[Floats, Floats]:
    """Colours (n, 3) of points on triangles, and how brightly (n,) a lamp burns behind each."""
    course = np.maximum(_COURSES[material], 1e-3)
    patterned = _COURSES[material] > 0
    flat = np.abs(normals[:, 2]) > 0.7
    across = points[:, 0] * normals[:, 1] - points[:, 1] * normals[:, 0]
    level = np.floor(points[:, 2] / course)
    phase = points[:, 2] / course - level
    stone = np.floor(across / (course * 1.9) + 0.5 * np.mod(level, 2))
    colour = _COLOURS[material]
    lower = patterned & ~flat & (phase < _SHARES[material])
    # The windows of the houses stand apart from each other; the strips of the skyscraper run on.
    house = _HOUSES[material]
    in_window = house & ~flat & (phase < 0.55) & (np.mod(across, 2.6) < 1.2)
    colour = np.where((lower & (~house | in_window))[:, None], _SECONDS[material], colour)
    vary = 1 + _VARIATIONS[material] * (2 * _hash(level, stone) - 1) * 1.7 * patterned
    joint = _IS_STONE[material] & ~house & ~flat
    edge = np.minimum(phase, 1 - phase) < 0.035
    vary = vary * np.where(joint & edge, 0.84, 1.0)
    # Weather draws dark streaks down the stone, and patches.
    streak = _sample(_noise(3), across / 7 % 1, points[:, 2] / 60 % 1)
    patch = _sample(_noise(4), across / 30 % 1, points[:, 2] / 30 % 1)
    dirt = 0.80 + 0.22 * streak + 0.18 * patch
    vary = np.where(landmark | house, vary * dirt, vary)
    colour = colour * vary[:, None] * tints
    glass = (_GLASS[material] & ~lower) | in_window
    window = _hash(np.floor(across / 2.6), np.floor(points[:, 2] / 3.6), np.full(len(points), conditions.seed % 101))
    share = np.where(landmark, 0.18, 0.3)
    lit = np.where(glass & ~flat & (window < share), 0.4 + window / share * 0.9, 0.0)
    return colour, lit


def _lamps(points: Floats, normals: Floats, landmark: NDArray[np.bool_], height: float) -> Floats:
    """Light (n, 3) of the floodlights at the landmark's foot and of the street lamps."""
    away = np.hypot(points[:, 0], points[:, 1])
    low = points[:, 2] / height
    upward = 0.45 + 0.55 * np.clip(-normals[:, 2] + 0.6, 0, 1)
    flood = (0.22 + 0.78 * np.exp(-4.0 * low)) * upward * 0.62
    # The crown has its own.
    flood = np.maximum(flood, 0.42 * _smooth(low, 0.62, 0.80))
    street = 0.16 * np.exp(-np.clip(points[:, 2], 0, None) / 7) * (0.5 + 0.5 * np.exp(-away / 180))
    light = np.where(landmark, flood, street)
    result: Floats = light[:, None] * np.where(landmark[:, None], (1.0, 0.82, 0.55), (1.0, 0.76, 0.46))
    return result


def _sunlit(
    renderer: Renderer, scene: Scene, sky: Sky, points: Floats, normals: Floats, height: float, footprint: float
) -> Floats:
    """How much (n,) of the sun reaches points: 0 in shadow, 1 in the light."""
    if float(sky.sunlight.max()) < 0.05 or sky.sun_direction[2] < 0.02:
        return np.ones(len(points))
    half = 0.5 * math.hypot(height, 2 * footprint) + 25
    east, north, sky_up = (float(x) for x in sky.sun_direction)
    view = ParallelView((0.0, 0.0, height / 2), (east, north, sky_up), half, SHADOW_SIZE)
    front = renderer.heights_over(scene, view)
    right, up, _ = view.axes
    offset = points - np.asarray(view.centre)
    # A little towards the outside, so that no surface shades itself.
    pixel = 2 * half / SHADOW_SIZE
    offset = offset + normals * pixel * 1.2
    column = (offset @ right / half + 1) / 2 * SHADOW_SIZE - 0.5
    row = (1 - offset @ up / half) / 2 * SHADOW_SIZE - 0.5
    mine = offset @ np.asarray(view.towards)
    lit = np.zeros(len(points))
    for shift_x, shift_y in ((0.3, 0.3), (-0.3, -0.3), (0.3, -0.3), (-0.3, 0.3)):
        x, y = np.round(column + shift_x).astype(np.int64), np.round(row + shift_y).astype(np.int64)
        inside = (x >= 0) & (x < SHADOW_SIZE) & (y >= 0) & (y < SHADOW_SIZE)
        before = np.full(len(points), -np.inf)
        before[inside] = front[y[inside], x[inside]]
        lit += before < mine + pixel * 2.0
    return lit / 4


def _crevices(depth: Floats, samples: int) -> Floats:
    """How open (height, width) each pixel lies, 0 to 1: what is farther than its surroundings is darker.

    After Luft, Colditz and Deussen (2006), "Image enhancement by unsharp masking the depth buffer".
    """
    finite = np.isfinite(depth)
    inverse = np.where(finite, 1 / np.maximum(depth, 0.1), 0.0)
    result = np.ones(depth.shape)
    for radius, strength in ((2.0 * samples, 9.0), (6.0 * samples, 5.0)):
        around = ndimage.gaussian_filter(inverse, radius)
        weight = ndimage.gaussian_filter(finite.astype(np.float64), radius)
        around = around / np.maximum(weight, 1e-3)
        behind = np.clip((around - inverse) / np.maximum(inverse, 1e-6), 0, 0.06)
        result -= strength * np.minimum(behind, 0.03) * finite
    return np.clip(result, 0.45, 1)


def _develop(
    light: Floats,
    landmark: NDArray[np.bool_],
    solid: NDArray[np.bool_],
    samples: int,
    conditions: Conditions,
    rng: np.random.Generator,
) -> Picture:
    """Turn light into the file's pixels: exposure, white balance, lens, grain."""
    rows, columns = light.shape[0] // samples, light.shape[1] // samples
    shape = (rows, samples, columns, samples)
    mask = np.zeros(solid.shape)
    mask[solid] = landmark
    light = light.reshape(*shape, 3).mean(axis=(1, 3))
    cover: Floats = mask.reshape(shape).mean(axis=(1, 3))
    if conditions.is_night:
        # Lamps bloom.
        bright = np.clip(light - 0.6, 0, 3)
        light = light + 0.6 * ndimage.gaussian_filter(bright, (rows / 60, rows / 60, 0))
    # The camera meters the whole picture, by halves.
    metered = float(np.exp(np.mean(np.log(light.mean(axis=2) + 0.01))))
    gain = (0.31 / metered) ** (0.35 if conditions.is_night else 0.75)
    light = light * gain * conditions.exposure
    light = light * (1 + conditions.warmth * np.array([0.10, 0.0, -0.12]))
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    light = light * (1 - 0.09 * (x * x + y * y))[..., None]
    if conditions.weather is Weather.RAIN:
        streaks = (rng.random((rows, columns)) < 0.012).astype(np.float64)
        streaks = ndimage.gaussian_filter(streaks, (rows / 50, 0.4)) * rows / 12
        light = light + 0.025 * streaks[..., None]
    # A shoulder, so that highlights end softly.
    light = light * (1 + light / 6.0) / (1 + light * 0.75)
    grain = 0.016 if conditions.is_night else 0.006
    light = light + rng.normal(size=light.shape) * grain * np.sqrt(np.clip(light, 0.01, 1))
    return Picture(to_srgb(light), cover)
