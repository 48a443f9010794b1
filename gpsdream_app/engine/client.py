"""The engine as the window and the command line see it: a child process, replaced when it dies. No torch here."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gpsdream_app
from gpsdream_app.domain.errors import LESS_MEMORY, ErrorKind, Failure, GPSDreamError
from gpsdream_app.domain.events import TERMINAL_EVENTS, EngineState, event_from_dict
from gpsdream_app.engine.base import Job, QueueEngine
from gpsdream_app.engine.frames import FrameError, pack_frame, read_frame
from gpsdream_app.library.paths import log_dir

log = logging.getLogger(__name__)

CANCEL_PATIENCE = 6.0  # seconds that a running job has to stop before the process is ended
CRASHES = 3
CRASH_WINDOW = 60.0  # seconds; so many crashes within it, and the engine is not started again by itself
LOG_BYTES = 1 << 20
LOG_FILES = 3
LAST_WORDS = 40  # lines of the log that go into the details of a failure
SECONDS_TO_REAP = 5.0
KILLED = -9  # the exit code after what a system does to a program that takes all memory


class ProcessEngine(QueueEngine):
    """Runs `gpsdream_app.engine.worker` as a child process.

    The queues are kept here, and the child is given one job of each at a time: when it dies, no other job is lost.
    """

    def __init__(
        self,
        *,
        pictures: Path | None = None,
        device: str = "auto",
        cancel_patience: float = CANCEL_PATIENCE,
        command: Sequence[str] | None = None,
    ) -> None:
        """Make an engine; nothing is started yet.

        Args:
            pictures: folder for the pictures; the person's pictures folder if None.
            device: what the models run on: auto, cpu, cuda, cuda:1, mps.
            cancel_patience: seconds that a running job has to stop before the process is ended.
            command: another child process that speaks the same frames.
        """
        super().__init__()
        self._patience = cancel_patience
        self._command = list(command) if command else worker_command(pictures, device)
        self._child: _Child | None = None
        self._launcher: threading.Thread | None = None
        self._log = _EngineLog()
        self._warm_model: str | None = None
        self._cancel_timers: dict[str, threading.Timer] = {}
        self._crashes: deque[float] = deque()
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is no child."""
        child = self._child
        return child.process.pid if child else None

    def start(self) -> None:
        """Start the child process in the background. Does nothing if it runs already."""
        with self._lock:
            if not (self._closed or self._child or self._launcher):
                self._change(EngineState.STARTING, "starting PyTorch")
                self._launch()

    def warm(self, model: str) -> None:
        """Load a model in the background, now and whenever the child process has to be replaced."""
        with self._lock:
            self._warm_model = model
            if self._child:
                self._child.send({"command": "warm", "model": model})
            else:
                self.start()

    def use_memory(self, choice: str, rest_minutes: float) -> None:
        """Say how much memory models may take, now and whenever the child process has to be replaced."""
        with self._lock:
            super().use_memory(choice, rest_minutes)
            self._send(_memory_command(choice, rest_minutes))

    def status(self, timeout: float = 2.0) -> dict[str, Any] | None:
        """Ask the child how it is.

        Args:
            timeout: seconds to wait for the answer.

        Returns:
            pid, state, job_id, lift_id, waiting, model, device, preset, memory_bytes, threads; None if it does not
            answer.
        """
        child = self._child
        if child is None:
            return None
        while True:
            try:
                self._answers.get_nowait()
            except queue.Empty:
                break
        child.send({"command": "status"})
        try:
            return self._answers.get(timeout=timeout)
        except queue.Empty:
            return None

    def shutdown(self, timeout: float = 3.0) -> None:
        """End all jobs and the child process."""
        if not self._close():
            return
        with self._lock:
            for job_id in list(self._cancel_timers):
                self._forget_cancel(job_id)
            launcher = self._launcher  # under the lock, where a child takes its launcher's place
        if launcher:
            launcher.join()
        child = self._child
        if child:
            child.send({"command": "shutdown"})
            child.end(timeout)
        self._log.close()
        self._change(EngineState.STOPPED)
        self._stop_telling()

    # -- the queue's hooks --

    def _can_begin(self) -> bool:
        return self._child is not None

    def _begin(self, job: Job) -> None:
        self._send({"command": "submit", "job_id": job.job_id, "request": job.request, "paused": job.paused})

    def _interrupt(self, job_id: str) -> None:
        child = self._child
        if child:
            child.send({"command": "cancel", "job_id": job_id})
            self._forget_cancel(job_id)
            timer = threading.Timer(self._patience, self._end_stuck, (child, job_id))
            timer.daemon = True
            timer.start()
            self._cancel_timers[job_id] = timer

    def _set_paused(self, job_id: str, paused: bool) -> None:
        self._send({"command": "pause" if paused else "resume", "job_id": job_id})

    def _keep(self, job_id: str) -> None:
        self._send({"command": "keep", "job_id": job_id})

    def _send(self, header: dict[str, Any]) -> None:
        if self._child:
            self._child.send(header)

    def _forget_cancel(self, job_id: str) -> None:
        timer = self._cancel_timers.pop(job_id, None)
        if timer:
            timer.cancel()

    def _end_stuck(self, child: _Child, job_id: str) -> None:
        """End a child that did not stop a job in time. That also gives back all its memory."""
        with self._lock:
            self._cancel_timers.pop(job_id, None)
            if child is self._child and self._running(job_id):
                log.warning("The engine did not stop job %s in time and is ended.", job_id)
                child.ended_by_us = True
                child.kill()

    # -- the child --

    def _launch(self) -> None:
        """Start a child in the background: even starting a process can take a while on a busy machine."""
        self._launcher = threading.Thread(target=self._start_child, name="engine start", daemon=True)
        self._launcher.start()

    def _start_child(self) -> None:
        try:
            child = _Child(self._command, self._log, self._on_frame, self._on_gone)
        except OSError as error:
            with self._lock:
                self._launcher = None
                self._give_up(
                    Failure(
                        ErrorKind.ENGINE_DIED,
                        f"The drawing engine cannot be started: {error.strerror or error}.",
                        "Install GPSDream again.",
                        repr(error),
                    )
                )
            return
        with self._lock:
            self._launcher = None
            self._child = child
            child.listen()
            if self.memory is not None:
                child.send(_memory_command(*self.memory))
            if self._warm_model is not None:
                child.send({"command": "warm", "model": self._warm_model})
            self._advance()

    def _on_frame(self, child: _Child, header: dict[str, Any], blob: bytes) -> None:
        if "status" in header:
            self._answers.put(header["status"])
            return
        try:
            event = event_from_dict(header, blob)
        except (KeyError, TypeError, ValueError, GPSDreamError):
            log.exception("The engine sent something that is no event.")
            return
        with self._lock:
            if child is self._child:
                self._accept(event)
                if isinstance(event, TERMINAL_EVENTS) and not self._running(event.job_id):
                    self._forget_cancel(event.job_id)

    def _on_gone(self, child: _Child, exit_code: int) -> None:
        """Settle the jobs of a child that is gone, and replace it."""
        with self._lock:
            if child is not self._child:
                return
            self._child = None
            if self._closed:
                return
            log.warning("The engine is gone (exit code %d).", exit_code)
            self._lost(
                Failure(
                    ErrorKind.ENGINE_DIED,
                    "The drawing engine stopped in the middle of the picture.",
                    "It is starting again: draw once more. If it stops again, memory may be short.",
                    f"exit code {exit_code}\n{child.last_words()}",
                    LESS_MEMORY if exit_code == KILLED and not child.ended_by_us else "",
                )
            )
            if not child.ended_by_us and self._crashed_too_often():
                self._give_up(
                    Failure(
                        ErrorKind.ENGINE_DIED,
                        f"The drawing engine stopped {CRASHES} times within a minute and was not started again.",
                        "Close other programs and draw again; “gpsdream doctor” checks the installation.",
                        f"exit code {exit_code}\n{child.last_words()}",
                    )
                )
                return
            self._change(EngineState.RESTARTING, "starting again")
            self._launch()

    def _crashed_too_often(self) -> bool:
        now = time.monotonic()
        self._crashes.append(now)
        while now - self._crashes[0] > CRASH_WINDOW:
            self._crashes.popleft()
        return len(self._crashes) >= CRASHES

    def _give_up(self, failure: Failure) -> None:
        """Stop until a person asks again."""
        self._crashes.clear()
        if not self._closed:
            self._fail_waiting(failure)
            self._change(EngineState.STOPPED, failure.message)


def worker_command(pictures: Path | None = None, device: str = "auto") -> list[str]:
    """Return the command line of the engine's process."""
    # -P: a file torch.py in the folder where GPSDream was started must not be taken for the real one.
    command = [sys.executable, "-P", "-m", "gpsdream_app.engine.worker", "--device", device]
    if pictures is not None:
        command += ["--pictures", str(pictures.absolute())]
    return command


def _memory_command(choice: str, rest_minutes: float) -> dict[str, Any]:
    return {"command": "memory", "preset": choice, "rest_minutes": rest_minutes}


def worker_environment() -> dict[str, str]:
    """Return the child's environment, in which it finds the same package as this process."""
    package = str(Path(gpsdream_app.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": f"{package}{os.pathsep}{path}" if path else package}


class _Child:
    """One child process and the threads that read, write and log for it."""

    def __init__(
        self,
        command: Sequence[str],
        log_file: _EngineLog,
        on_frame: Callable[[_Child, dict[str, Any], bytes], None],
        on_gone: Callable[[_Child, int], None],
    ) -> None:
        """Start the process. Raises OSError if that is not possible."""
        self.ended_by_us = False
        self._log = log_file
        self._on_frame = on_frame
        self._on_gone = on_gone
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._outgoing: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=worker_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in (
                (self._write, "engine writer"),
                (self._keep_log, "engine log"),
                # The last to start: it waits for the log's thread, and a process may be gone at once.
                (self._read, "engine reader"),
            )
        ]

    def listen(self) -> None:
        """Begin to read and write."""
        for thread in self._threads:
            thread.start()

    def send(self, header: dict[str, Any]) -> None:
        """Send a command; never blocks, and does nothing if the process is gone.

        A `request` in it is turned into JSON values later: with hundreds of thousands of places that takes a while.
        """
        self._outgoing.put(header)

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(OSError):
            self.process.kill()

    def last_words(self) -> str:
        """The last lines that the process wrote to its log."""
        return "\n".join(self._last_words)

    def end(self, timeout: float) -> None:
        """Wait for the process to end, by force after `timeout` seconds, and for its threads."""
        self._outgoing.put(None)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(SECONDS_TO_REAP)

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        try:
            while (frame := read_frame(stream)) is not None:
                self._on_frame(self, *frame)
        except (FrameError, OSError) as error:
            # Usually half a frame of a process that was killed while it wrote.
            log.warning("The engine cannot be understood any more: %s.", error)
            self.kill()
        stream.close()
        try:
            code = self.process.wait(SECONDS_TO_REAP)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self.process.wait()
        self._outgoing.put(None)
        self._threads[1].join(SECONDS_TO_REAP)
        self._on_gone(self, code)

    def _write(self) -> None:
        stream = self.process.stdin
        assert stream is not None
        # The reader notices that the process is gone; there is nothing to do about it here.
        with contextlib.suppress(OSError):
            while (header := self._outgoing.get()) is not None:
                if "request" in header:
                    header = {**header, "request": header["request"].to_dict()}
                stream.write(pack_frame(header))
                stream.flush()
        with contextlib.suppress(OSError):
            stream.close()

    def _keep_log(self) -> None:
        stream = self.process.stderr
        assert stream is not None
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                self._last_words.append(text)
                self._log.write(f"[{self.process.pid}] {text}")


class _EngineLog:
    """The file engine.log with what the children write to standard error; a new one is begun after a megabyte."""

    def __init__(self) -> None:
        self._handler: logging.Handler | None = None
        self._lock = threading.Lock()
        self._closed = False

    def write(self, line: str) -> None:
        """Add a line. A log that cannot be written is no reason to stop drawing."""
        with self._lock:
            if self._closed:
                return
            try:
                if self._handler is None:
                    self._handler = logging.handlers.RotatingFileHandler(
                        log_dir() / "engine.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8"
                    )
                    self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
                    self._handler.handleError = lambda record: None  # type: ignore[method-assign]
                self._handler.emit(logging.makeLogRecord({"msg": line}))
            except (OSError, GPSDreamError):
                self._closed = True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            if self._handler:
                self._handler.close()
