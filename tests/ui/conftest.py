"""What every window test needs: the scheme registered before the QApplication, and a keeper of Qt's own noise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

# Said once per process by QtWebEngine while it looks for a GPU, on every machine that has none.
NO_GPU = (
    r"Failed to load vulkan:.*",
    r"initInstance: No Vulkan library available",
    r"Failed to create platform Vulkan instance",
    r"Unable to detect GPU vendor for device:.*",
    r"GPUInfo not initialized on GpuInfoUpdate",
    r"GLX: No DRI3 Extension\.",
    r"QRhiGles2: Failed to create (temporary )?context",
    r"Failed to create RHI for backend: OpenGL",
    r"QXcbIntegration: Cannot create platform (OpenGL context|offscreen surface), neither GLX nor EGL are enabled",
)


def pytest_configure(config: pytest.Config) -> None:
    """Prepare WebEngine; it wants to know the scheme before the QApplication exists."""
    for pattern in NO_GPU:
        config.addinivalue_line("qt_log_ignore", pattern)
    from gpsdream_app.ui.map.scheme import register_scheme
    from gpsdream_app.ui.opengl import prepare_opengl

    register_scheme()
    prepare_opengl()


@pytest.fixture(autouse=True)
def nothing_lingers() -> Iterator[None]:
    """Delete at once what a test has sent away, so that no widget lives on into the next test."""
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
