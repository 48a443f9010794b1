"""What Qt is told about OpenGL before it starts, and whether there is any: the 3D view needs OpenGL 3.2."""

from __future__ import annotations

import os

from PySide6.QtGui import QOffscreenSurface, QOpenGLContext, QSurfaceFormat

SWITCH = "GPSDREAM_3D"


def prepare_opengl() -> None:
    """Ask for desktop OpenGL 3.2 everywhere. Must be called before the QApplication exists.

    VTK's widget asks for it when it is opened, and then the context that all of the program shares would have another
    profile, which Wayland answers with a black view.
    """
    QSurfaceFormat.setDefaultFormat(surface_format())


def surface_format() -> QSurfaceFormat:
    """What VTK's shaders need."""
    wanted = QSurfaceFormat()
    wanted.setRenderableType(QSurfaceFormat.RenderableType.OpenGL)
    wanted.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    wanted.setVersion(3, 2)
    wanted.setSwapBehavior(QSurfaceFormat.SwapBehavior.DoubleBuffer)
    for size in (wanted.setRedBufferSize, wanted.setGreenBufferSize, wanted.setBlueBufferSize):
        size(8)
    wanted.setAlphaBufferSize(8)
    wanted.setDepthBufferSize(8)
    wanted.setStencilBufferSize(0)
    wanted.setSamples(0)
    return wanted


def opengl_works() -> bool:
    """Whether Qt gets an OpenGL 3.2 context here. The environment's `GPSDREAM_3D=off` says no."""
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "no"):
        return False
    context = QOpenGLContext()
    context.setFormat(surface_format())
    if not context.create():
        return False
    surface = QOffscreenSurface()
    surface.setFormat(context.format())
    surface.create()
    if not surface.isValid() or not context.makeCurrent(surface):
        return False
    found = context.format()
    context.doneCurrent()
    return (found.majorVersion(), found.minorVersion()) >= (3, 2)
