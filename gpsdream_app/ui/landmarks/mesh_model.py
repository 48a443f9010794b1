"""The mesh of one lift, without widgets: read, extracted at a threshold, given a texture, saved; all in the background.

Only the last wish counts: while one extraction runs, others that come are forgotten but for the newest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from gpsdream_app.domain.errors import Failure
from gpsdream_app.domain.lifts import LiftResult
from gpsdream_app.library.lifts import DENSITY_FILE, MESH_FILE, save_result
from gpsdream_app.lifting.density import LEAST_SHARE, MOST_SHARE, Density
from gpsdream_app.lifting.files import Standing, size_in_metres, write_mesh
from gpsdream_app.lifting.mesh import MOST_FACES, LiftedMesh, extract, textured
from gpsdream_app.lifting.painting import VIEWS_FILE, PaintedViews
from gpsdream_app.lifting.result import standing_of
from gpsdream_app.ui.background import Background

T = TypeVar("T")
REST_MILLISECONDS = 350  # after the last change, before a texture is baked
TEXTURE_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Solid:
    """A mesh as it is shown.

    Attributes:
        mesh: field units; with its texture as soon as that is baked.
        vertices: (V, 3) the mesh's in metres about the landmark's foot.
        share: of the light that a cell takes where the surface was drawn: the threshold.
        size: width (east), depth (north) and height in metres.
        watertight: whether it is closed.
    """

    mesh: LiftedMesh
    vertices: np.ndarray
    share: float
    size: tuple[float, float, float]
    watertight: bool

    @classmethod
    def of(cls, mesh: LiftedMesh, density: Density) -> Solid:
        """Measure a mesh."""
        return cls(
            mesh,
            density.scale.to_metres(mesh.vertices),
            density.share_of(mesh.threshold),
            size_in_metres(mesh, density.scale),
            mesh.watertight,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown: a threshold as a share (None for the lift's own), and how many triangles at most."""

    share: float | None = None
    most_faces: int = MOST_FACES


class MeshModel(QObject):
    """What a view of a lift shows.

    Signals:
        changed: there is another mesh, or the same one got its texture.
        busy_changed: an extraction has begun or ended.
        failed: nothing could be read, extracted or saved (`Failure`).
        saved: the threshold was saved (the lift's `LiftResult` as it is now).
    """

    changed = Signal()
    busy_changed = Signal()
    failed = Signal(object)
    saved = Signal(object)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self.result: LiftResult | None = None
        self.density: Density | None = None
        self.solid: Solid | None = None
        self.wish = Wish()
        self.wants_texture = True
        self._number = 0  # of the lift that is shown; what belongs to an earlier one comes too late
        self._running = False
        self._baking: Solid | None = None  # whose texture is being made
        self._waiting = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MILLISECONDS)
        self._rest.timeout.connect(self._bake)

    @property
    def busy(self) -> bool:
        """Whether a mesh is being read or extracted."""
        return self._running

    @property
    def standing(self) -> Standing:
        """What files say of it."""
        assert self.result is not None and self.density is not None
        return standing_of(self.result.request, self.density, self.result.model_title)

    @property
    def own_share(self) -> float | None:
        """The threshold that the lift has on the disk, as a share."""
        if self.density is not None and self.density.chosen is not None:
            return self.density.chosen
        return self.result.threshold if self.result else None

    def show(self, result: LiftResult | None) -> None:
        """Read a lift and extract its mesh; None shows nothing."""
        self._number += 1
        self.result, self.density, self.solid = result, None, None
        self.wish = replace(self.wish, share=None)
        self._running = self._waiting = False
        self._rest.stop()
        self.changed.emit()
        if result is None:
            self.busy_changed.emit()
            return
        path, wish = Path(result.folder) / DENSITY_FILE, self.wish

        def read() -> tuple[Density, Solid]:
            density = Density.load(path)
            return density, _extracted(density, wish, result.threshold)

        def done(found: tuple[Density, Solid]) -> None:
            self.density = found[0]
            self._extracted(found[1])

        self._start(read, done)

    def show_share(self, share: float) -> None:
        """Draw the surface where a cell takes another share of the light."""
        self._take(replace(self.wish, share=min(max(share, LEAST_SHARE), MOST_SHARE)))

    def show_faces(self, most: int) -> None:
        """Merge triangles until at most so many are left."""
        self._take(replace(self.wish, most_faces=most))

    def restore(self) -> None:
        """Go back to the lift's own threshold."""
        self._take(replace(self.wish, share=None))

    def save(self) -> None:
        """Make the threshold that is shown the lift's own: in its density, its mesh and its result."""
        result, density, solid = self.result, self.density, self.solid
        if result is None or density is None or solid is None:
            return
        number, folder, standing = self._number, Path(result.folder), self.standing
        chosen = replace(density, chosen=solid.share)

        def write() -> LiftResult:
            whole = solid if len(solid.mesh.faces) and self.wish.most_faces == MOST_FACES else None
            kept = whole or _extracted(chosen, Wish(solid.share), solid.share)
            plain = replace(kept.mesh, uv=None, texture=None)
            chosen.save(folder / DENSITY_FILE)
            write_mesh(plain, folder / MESH_FILE, standing)
            told = replace(
                result, size=kept.size, faces=len(plain.faces), watertight=kept.watertight, threshold=solid.share
            )
            save_result(told)
            return told

        def done(told: LiftResult) -> None:
            if number == self._number:
                self.result, self.density = told, chosen
            self.saved.emit(told)

        self._background.run(self, write, done, self.failed.emit)

    def _take(self, wish: Wish) -> None:
        if wish == self.wish or self.result is None:
            return
        self.wish = wish
        self._rest.stop()
        if self._running or self.density is None:
            self._waiting = True
        else:
            self._extract()

    def _extract(self) -> None:
        density, wish, result = self.density, self.wish, self.result
        assert density is not None and result is not None
        self._waiting = False
        self._start(lambda: _extracted(density, wish, result.threshold), self._extracted)

    def _extracted(self, solid: Solid) -> None:
        self.solid = solid
        if self._waiting:
            self._extract()
        elif self.wants_texture:
            self._rest.start()
        self.changed.emit()

    def want_texture(self, wanted: bool) -> None:
        """Bake textures, or do not."""
        self.wants_texture = wanted
        if wanted and self.solid is not None and self.solid.mesh.texture is None:
            self._rest.start()

    @property
    def views(self) -> Path | None:
        """The file of the views that the lift was fitted to, which need not be there; None if no lift is shown."""
        return Path(self.result.folder) / VIEWS_FILE if self.result else None

    def _bake(self) -> None:
        solid, density, number, views = self.solid, self.density, self._number, self.views
        if solid is None or density is None or views is None or solid.mesh.texture is not None or self._running:
            return
        if self._baking is solid:
            return  # its texture is on the way
        self._baking = solid

        def ended() -> None:
            if self._baking is solid:
                self._baking = None

        def done(mesh: LiftedMesh) -> None:
            ended()
            # A texture of a mesh that is no longer shown is of no use.
            if number == self._number and self.solid is solid:
                self.solid = replace(solid, mesh=mesh, vertices=density.scale.to_metres(mesh.vertices))
                self.changed.emit()

        def work() -> LiftedMesh:
            return textured(solid.mesh, density, TEXTURE_SIDE, PaintedViews.load(views))

        def failed(failure: Failure) -> None:
            ended()
            self.failed.emit(failure)

        self._background.run(self, work, done, failed)

    def _start(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        number = self._number
        self._running = True
        self.busy_changed.emit()

        def arrived(value: T) -> None:
            if number == self._number:
                self._running = False
                done(value)
                self.busy_changed.emit()

        def failed(failure: Failure) -> None:
            if number == self._number:
                self._running = False
                if self._waiting and self.density is not None:
                    self._extract()
                else:
                    # The sentence comes last, so that it stays.
                    self.busy_changed.emit()
                    self.failed.emit(failure)

        self._background.run(self, work, arrived, failed, priority=2)


def _extracted(density: Density, wish: Wish, own: float) -> Solid:
    """Extract a mesh; a wish without a share takes the density's own, else `own`."""
    share = wish.share if wish.share is not None else density.chosen
    level = density.level_of(min(max(own if share is None else share, LEAST_SHARE), MOST_SHARE))
    return Solid.of(extract(density, level, most_faces=wish.most_faces), density)
