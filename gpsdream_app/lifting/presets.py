"""What a request for a lift means in numbers: method and quality become the settings of the loop.

docs/lifting.md has the measurements behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpsdream_app.domain.landmarks import Landmark
from gpsdream_app.domain.lifts import LiftMethod, LiftQuality, LiftRequest
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.lifting.cameras import framed_camera
from gpsdream_app.lifting.guidance import Times
from gpsdream_app.lifting.loop import LiftConfig, Method, Weights
from gpsdream_app.lifting.scale import Scale, scale_of_height

FILL = 1.6  # field units that the landmark is high
EXTENT = (1.05, 1.05, 0.815)  # half the box: what is higher than the landmark, or lower than its foot, is none of it
GUIDANCE = 2.0
TEXT_GUIDANCE = 7.5  # words say less of a view than angles do; at 15 colours burn out


@dataclass(frozen=True, slots=True)
class Framing:
    """How the pictures that a model learned from were framed.

    Attributes:
        foot: row of the foot, as a share of the picture's height from above.
        height: of the landmark, as a share of the picture's.
        distance: of the camera in heights of the landmark.
        background: the flat colour behind it, sRGB from 0 to 1; None for surroundings.
    """

    foot: float = 0.85
    height: float = 0.7
    distance: float = 2.5
    background: tuple[float, float, float] | None = (0.36, 0.56, 0.82)


def framing_of(card: ModelCard, landmark: Landmark) -> Framing:
    """Read the framing off a model's card; what it does not say is as in `Framing`.

    A landmark may have one of its own under "landmarks", since wide ones are framed smaller.
    """
    said: dict[str, Any] = {}
    general = getattr(card, "framing", None) or card.choices.get("framing")
    if isinstance(general, Mapping):
        said |= general
        own = general.get("landmarks")
        if isinstance(own, Mapping) and isinstance(own.get(landmark.id), Mapping):
            said |= own[landmark.id]
    values: dict[str, Any] = {}
    for name, low, high in (("foot", 0.5, 1.0), ("height", 0.05, 1.0), ("distance", 0.3, 50.0)):
        number = said.get(name)
        if isinstance(number, (int, float)) and not isinstance(number, bool) and low <= number <= high:
            values[name] = float(number)
    colour = said.get("background", said.get("colour"))
    if isinstance(colour, (list, tuple)) and len(colour) == 3:
        values["background"] = tuple(float(value) for value in colour)
    return Framing(**values)


# What all lifts of a method have, then what each quality changes.
_VIEWS: dict[str, Any] = {
    "weights": Weights(total_variation=0.02, entropy=0.02, sparsity=0.01, silhouette=0.3, thickness=0.3),
    "similarity": True,
    "gain": True,
    "samples": 72,
    "rate": 0.1,
    "last_rate": 0.02,
    "carve": 0.03,
}
_VIEWS_QUALITY: dict[LiftQuality, dict[str, Any]] = {
    LiftQuality.FAST: {"views": 36, "drawing_steps": 8, "steps": 120, "round_steps": 60, "resolutions": (32, 64)},
    LiftQuality.BALANCED: {"views": 72, "drawing_steps": 8, "steps": 250, "round_steps": 120, "resolutions": (32, 80)},
    LiftQuality.FINE: {
        "views": 120,
        "drawing_steps": 12,
        "steps": 600,
        "round_steps": 250,
        "rounds": 2,
        "resolutions": (32, 64, 112),
        "samples": 112,
    },
}
_DISTIL: dict[str, Any] = {
    "times": Times.ANNEALED,
    # Not lit: before a flat colour that it knows, a field that is lit differently every time turns into fog of the
    # right mean colour. A strong entropy makes it decide.
    "shaded": 0.0,
    "samples": 64,
    "rate": 0.2,
    "last_rate": 0.02,
    "weights": Weights(total_variation=0.2, entropy=0.5, sparsity=0.0, thickness=0.5),
}
_TEXT: dict[str, Any] = {
    "guidance": TEXT_GUIDANCE,
    "against": 1.0,
    # Words for views contradict each other more than angles do: a field that decides as early decides wrongly.
    "rate": 0.1,
    "weights": Weights(total_variation=0.05, entropy=0.02, sparsity=0.05, thickness=0.5),
}
_DISTIL_QUALITY: dict[LiftQuality, dict[str, Any]] = {
    LiftQuality.FAST: {"steps": 200, "pixels": 32, "resolutions": (24, 48)},
    LiftQuality.BALANCED: {"steps": 600, "pixels": 48, "resolutions": (32, 64)},
    LiftQuality.FINE: {"steps": 2000, "pixels": 64, "resolutions": (32, 64, 96), "samples": 96},
}


def config_of(request: LiftRequest, card: ModelCard) -> tuple[LiftConfig, Scale]:
    """Return the settings of a lift, and what its field units are in metres.

    Args:
        request: what is asked for.
        card: of the model that will answer.
    """
    landmark = request.landmark
    framing = framing_of(card, landmark)
    scale = scale_of_height(landmark.height, FILL)
    camera = framed_camera(scale, landmark.height, foot=framing.foot, share=framing.height, distance=framing.distance)
    # Wider landmarks are framed smaller, so that more fits into the frame.
    wider = max(1.0, 0.7 / framing.height)
    values: dict[str, Any] = {
        "method": Method(request.method.value),
        "prompt": landmark.prompt,
        "seed": request.seed,
        "front": landmark.heading,
        "distance": camera.distance,
        "fov": camera.fov,
        "target": camera.target,
        "shift": camera.shift,
        "extent": (EXTENT[0] * wider, EXTENT[1] * wider, EXTENT[2]),
    }
    if request.method in (LiftMethod.SDS, LiftMethod.TEXT):
        values |= _DISTIL | _DISTIL_QUALITY[request.quality]
        values["guidance"] = GUIDANCE
        if request.method is LiftMethod.TEXT:
            values |= _TEXT
    else:
        values |= _VIEWS | _VIEWS_QUALITY[request.quality]
        values["guidance"] = GUIDANCE
    if request.guidance is not None:
        values["guidance"] = request.guidance
    return LiftConfig(**values), scale
