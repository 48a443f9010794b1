"""Guidance: what a model of views must offer, and how its opinion becomes pictures or gradients.

Two protocols. A `PictureSource` gives finished pictures for cameras (a diffusion model behind `DrawnViews`, photos, or
a renderer of a known shape in tests). A `NoiseModel` gives noise predictions, from which both pictures and the gradient
of score distillation are made. Nothing here knows which network answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import torch
import torch.nn.functional as F

from gpsdream_app.lifting.cameras import Camera


@dataclass(frozen=True)
class Condition:
    """What a picture shall show. Without words and camera: anything, the empty condition of the guidance.

    Attributes:
        words: the prompt.
        camera: from where; None for models that know no angles, or shall not be told.
    """

    words: str = ""
    camera: Camera | None = None


NOTHING = Condition()


class NoiseModel(Protocol):
    """A diffusion model of views. Latents are what it denoises: pixels or the output of an encoder.

    Attributes:
        name: of the model, for the records in files.
        side: height and width of its pictures in pixels.
        latent_shape: (channels, height, width).
        background: the flat colour (3 numbers, 0 to 1) behind the object in its training pictures; None if they have
            surroundings.
        knows_cameras: whether `Condition.camera` means anything to it.
        device: where its tensors lie.
    """

    name: str
    side: int
    latent_shape: tuple[int, int, int]
    background: tuple[float, float, float] | None
    knows_cameras: bool
    device: torch.device

    def levels(self, t: float) -> tuple[float, float]:
        """The shares of signal and noise (alpha, sigma) at time t from 0 (clean) to 1 (noise); alpha² + sigma² = 1."""

    def predict(self, noisy: torch.Tensor, t: float, conditions: Sequence[Condition]) -> torch.Tensor:
        """The noise in latents (N, *latent_shape) at time t, one condition each; called without gradients."""

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W), 0 to 1, of any size as latents; can be differentiated."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents as pictures (N, 3, side, side), 0 to 1."""


class PictureSource(Protocol):
    """Gives pictures for cameras.

    Attributes:
        name, side, background: as for `NoiseModel`.
    """

    name: str
    side: int
    background: tuple[float, float, float] | None

    def pictures(self, cameras: Sequence[Camera], seed: int, before_pass: Callable[[], None]) -> torch.Tensor:
        """Pictures (N, 3, side, side), 0 to 1. Noise of picture i follows from `seed` and i alone.

        `before_pass` is called before every longer piece of work and may raise to stop. A source that has an attribute
        `together` is asked for so many pictures at a time, and told by `first` the number of the first of them.
        """

    def again(
        self,
        pictures: torch.Tensor,
        cameras: Sequence[Camera],
        seed: int,
        strength: float,
        before_pass: Callable[[], None],
    ) -> torch.Tensor:
        """Pictures drawn again from noised ones: a dataset update. `strength` is the time t that is gone back to."""


def view_words(camera: Camera, front: float = 180.0) -> str:
    """Words for a view as text-to-3D recipes write them, with 45 degrees to either side of front and back.

    Args:
        camera: who looks.
        front: azimuth from which the front is seen, which is the heading that the front faces, in degrees.
    """
    if camera.elevation > 60.0:
        return "overhead view"
    from_front = abs((camera.azimuth - front + 180.0) % 360.0 - 180.0)
    return "front view" if from_front < 45.0 else "back view" if from_front > 135.0 else "side view"


def conditions_for(
    prompt: str, cameras: Sequence[Camera], by_words: bool = False, front: float = 180.0
) -> list[Condition]:
    """What to ask for: the angle itself, or with `by_words` the words of the view."""
    if by_words:
        words = [view_words(camera, front) for camera in cameras]
        return [Condition(f"{prompt}, {word}" if prompt else word) for word in words]
    return [Condition(prompt, camera) for camera in cameras]


def noise_like(count: int, shape: Sequence[int], seed: int, device: torch.device | str, first: int = 0) -> torch.Tensor:
    """Gaussian noise (count, *shape); row i follows from the seed and first + i alone, the same on every device."""
    rows = [
        torch.randn(*shape, generator=torch.Generator().manual_seed((seed * 1_000_003 + i) % 2**63))
        for i in range(first, first + count)
    ]
    return torch.stack(rows).to(device)


@torch.no_grad()
def guided(
    model: NoiseModel,
    noisy: torch.Tensor,
    t: float,
    conditions: Sequence[Condition],
    guidance: float,
    against: Sequence[Sequence[tuple[Condition, float]]] = (),
) -> tuple[torch.Tensor, torch.Tensor]:
    """Classifier-free guidance: e(0) + s [e(c) - e(0)].

    With `against`, what other conditions would add is taken off, as far as it is perpendicular to what the condition
    itself adds (Perp-Neg, Armandpour et al. 2023): words for the front do not draw a front on every side any more.

    Args:
        model: who is asked.
        noisy: (N, *latent_shape).
        t: the time.
        conditions: one per picture.
        guidance: s.
        against: for every picture as many conditions, with the weight of each.

    Returns:
        The guided prediction and the plain conditional one. With s = 1 and nothing against they are the same and cost
        one pass.
    """
    if guidance == 1.0 and not against:
        one = model.predict(noisy, t, conditions)
        return one, one
    columns = list(zip(*against, strict=True))
    asked = [*conditions, *([NOTHING] * len(conditions)), *(one for column in columns for one, _ in column)]
    answers = model.predict(torch.cat([noisy] * (2 + len(columns))), t, asked)
    with_condition, without, *others = answers.chunk(2 + len(columns))
    added = with_condition - without
    change = added
    for column, other in zip(columns, others, strict=True):
        weights = torch.tensor([weight for _, weight in column], device=noisy.device).reshape(-1, 1, 1, 1)
        away = other - without
        along = (away * added).sum(dim=(1, 2, 3), keepdim=True) / added.square().sum(dim=(1, 2, 3), keepdim=True).clamp(
            min=1e-12
        )
        change = change - weights * (away - along * added)
    return without + guidance * change, with_condition


def words_against(
    prompt: str, cameras: Sequence[Camera], weight: float, front: float = 180.0
) -> list[list[tuple[Condition, float]]]:
    """For every camera the two views that it does not have, in words, with their weights for `guided`.

    The farther a view is from where the camera stands, the more it counts, up to `weight`.
    """
    middles = {"front view": 0.0, "side view": 90.0, "back view": 180.0}
    rows = []
    for camera in cameras:
        from_front = abs((camera.azimuth - front + 180.0) % 360.0 - 180.0)
        here = view_words(camera, front)
        rows.append(
            [
                (
                    Condition(f"{prompt}, {words}" if prompt else words),
                    weight * min(1.0, abs(from_front - middle) / 90.0),
                )
                for words, middle in middles.items()
                if words != here
            ][:2]
        )
    return rows


@dataclass
class DrawnViews:
    """Pictures by a noise model: DDIM with few steps (Song et al. 2021, Eq 12 with eta 0).

    Attributes:
        model: what denoises.
        prompt: the words besides the angle.
        steps: denoising steps, 1 or more.
        guidance: weight s of the classifier-free guidance; 1 to 3 for models that know angles.
        by_words: tell the view in words instead of the angle.
        front: see `view_words`.
        together: pictures per pass.
        first: time at which drawing starts.
    """

    model: NoiseModel
    prompt: str = ""
    steps: int = 10
    guidance: float = 2.0
    by_words: bool = False
    front: float = 180.0
    together: int = 12
    first: float = 0.99

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    @property
    def side(self) -> int:
        """Pixels of its pictures."""
        return self.model.side

    @property
    def background(self) -> tuple[float, float, float] | None:
        """Behind the object in its pictures."""
        return self.model.background

    def passes(self, count: int, strength: float | None = None) -> int:
        """How often `before_pass` is called for so many pictures; see `pictures`, or with a strength `again`."""
        groups = math.ceil(count / self.together)
        if strength is None:
            return groups * (self.steps + 1)
        return groups * (max(1, round(self.steps * strength)) + 2)

    def pictures(
        self, cameras: Sequence[Camera], seed: int, before_pass: Callable[[], None], first: int = 0
    ) -> torch.Tensor:
        """See PictureSource."""
        noise = noise_like(len(cameras), self.model.latent_shape, seed, self.model.device, first)
        return self._denoised(noise, self.first, self.steps, cameras, before_pass)

    def in_one_light(self, cameras: Sequence[Camera], seed: int, before_pass: Callable[[], None]) -> torch.Tensor:
        """Pictures of cameras from one and the same noise: light and weather agree from side to side, as a texture
        wants it. A shape is fitted better to views of independent noise, whose faults cancel out."""
        noise = noise_like(1, self.model.latent_shape, seed, self.model.device).expand(len(cameras), -1, -1, -1)
        return self._denoised(noise, self.first, 2 * self.steps, cameras, before_pass)

    def again(
        self,
        pictures: torch.Tensor,
        cameras: Sequence[Camera],
        seed: int,
        strength: float,
        before_pass: Callable[[], None],
        first: int = 0,
    ) -> torch.Tensor:
        """See PictureSource."""
        noise = noise_like(len(cameras), self.model.latent_shape, seed, self.model.device, first)
        alpha, sigma = self.model.levels(strength)
        with torch.no_grad():
            parts = []
            for start in range(0, len(cameras), self.together):
                before_pass()
                parts.append(self.model.encode(pictures[start : start + self.together].to(self.model.device)))
        steps = max(1, round(self.steps * strength))
        return self._denoised(alpha * torch.cat(parts) + sigma * noise, strength, steps, cameras, before_pass)

    @torch.no_grad()
    def _denoised(
        self, noisy: torch.Tensor, first: float, steps: int, cameras: Sequence[Camera], before_pass: Callable[[], None]
    ) -> torch.Tensor:
        conditions = conditions_for(self.prompt, cameras, self.by_words, self.front)
        times = [first * (1.0 - i / steps) for i in range(steps)]
        done = []
        for start in range(0, len(cameras), self.together):
            part = slice(start, start + self.together)
            x = noisy[part]
            for i, t in enumerate(times):
                before_pass()
                alpha, sigma = self.model.levels(t)
                noise, _ = guided(self.model, x, t, conditions[part], self.guidance)
                clean = (x - sigma * noise) / max(alpha, 1e-4)
                if i + 1 == steps:
                    x = clean
                    break
                alpha, sigma = self.model.levels(times[i + 1])
                x = alpha * clean + sigma * noise
            before_pass()
            done.append(self.model.decode(x).clamp(0, 1))
        return torch.cat(done)


class Times(StrEnum):
    """How the timesteps of score distillation are drawn."""

    UNIFORM = "uniform"
    """Between 0.02 and 0.98 all the time: for pictures whose framing differs."""
    ANNEALED = "annealed"
    """From [0.98, 0.98] to [0.02, 0.50], linearly with the steps (the paper): for pictures framed alike."""


class Form(StrEnum):
    """What score distillation pulls towards."""

    NOISE = "noise"
    """Gradient w(t) (e_hat - e) with w = sigma² (the paper; DreamFusion, Eq 3)."""
    CLEAN = "clean"
    """Half the squared distance to the clean picture that the model sees, with rescaled guidance (MVDream, 3.3)."""


def time_of(times: Times, progress: float, chance: float) -> float:
    """The time t of a step.

    Args:
        times: the way.
        progress: of the distillation, 0 to 1.
        chance: a number from 0 to 1 drawn evenly.
    """
    low, high = 0.02, 0.98
    if times is Times.ANNEALED:
        low, high = 0.98 + (0.02 - 0.98) * progress, 0.98 + (0.50 - 0.98) * progress
    return low + (high - low) * chance


@dataclass(frozen=True)
class Distilled:
    """One step of score distillation.

    Attributes:
        loss: its gradient with respect to the pictures is that of the method; the number itself says little.
        size: root mean square of the gradient in the latents.
        replaced: values of the prediction that were not finite and were taken for 0.
    """

    loss: torch.Tensor
    size: float
    replaced: int


def distil(
    model: NoiseModel,
    pictures: torch.Tensor,
    conditions: Sequence[Condition],
    t: float,
    noise: torch.Tensor,
    *,
    guidance: float = 2.0,
    form: Form = Form.NOISE,
    rescale: float = 0.5,
    against: Sequence[Sequence[tuple[Condition, float]]] = (),
) -> Distilled:
    """Ask the model what is wrong with rendered pictures.

    Args:
        model: who is asked.
        pictures: (N, 3, H, W), 0 to 1, with a gradient.
        conditions: one per picture.
        t: the time.
        noise: (N, *latent_shape) to add.
        guidance: weight of the classifier-free guidance.
        form: noise or clean.
        rescale: for the clean form, how far the spread of the guided clean latents is brought back to that of the
            conditional ones (0 to 1), against colours that burn out (Lin et al. 2024, Eqs 15 and 16).
        against: see `guided`.
    """
    latents = model.encode(pictures)
    alpha, sigma = model.levels(t)
    noisy = alpha * latents.detach() + sigma * noise
    predicted, conditional = guided(model, noisy, t, conditions, guidance, against)
    replaced = int((~torch.isfinite(predicted)).sum())
    if replaced:
        predicted, conditional = (torch.nan_to_num(x, 0.0, 0.0, 0.0) for x in (predicted, conditional))
    if form is Form.NOISE:
        gradient = sigma**2 * (predicted - noise)
    else:
        clean = (noisy - sigma * predicted) / max(alpha, 1e-3)
        plain = (noisy - sigma * conditional) / max(alpha, 1e-3)
        dims = tuple(range(1, clean.dim()))
        scaled = clean * (plain.std(dim=dims, keepdim=True) / clean.std(dim=dims, keepdim=True).clamp(min=1e-6))
        gradient = latents.detach() - (rescale * scaled + (1.0 - rescale) * clean)
    target = (latents - gradient).detach()
    # Half the squared distance, whose gradient in the latents is the one above; per pixel, so that sizes compare.
    loss = 0.5 * F.mse_loss(latents, target, reduction="sum") / (latents.shape[0] * math.prod(latents.shape[2:]))
    return Distilled(loss, float(gradient.square().mean().sqrt()), replaced)
