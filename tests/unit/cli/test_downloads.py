"""`gpsdream models get`, against a server on this machine that speaks the Hub's language."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.library import downloads, paths
from gpsdream_app.library.downloads import Download

from .conftest import write_weights

REVISION = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "streets/tiny"
WEIGHTS = "unet/diffusion_pytorch_model.fp16.safetensors"
FILES = {
    "model_index.json": "model_index.json",
    "unet/config.json": "unet/config.json",
    WEIGHTS: "unet/diffusion_pytorch_model.safetensors",
}


class Hub(ThreadingHTTPServer):
    """Serves the files of one repository; remembers what was asked for."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[tuple[str, str, str]] = []  # method, path, Range
        self.tokens: list[str] = []
        self.cut_after: int | None = None  # bytes of the weights, once
        self.damage = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some tests want."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, body: bytes, headers: dict[str, str], status: int = 200, send: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:send])
        if send is not None and send < len(body):
            self.close_connection = True

    def do_POST(self) -> None:
        self.server.asked.append((self.command, self.path, ""))
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert self.path == f"/api/models/{REPOSITORY}/paths-info/{REVISION}"
        found = [(path, self.server.files[path]) for path in form["paths"] if path in self.server.files]
        answer = [
            {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            | ({"lfs": {"oid": _sha(data), "size": len(data), "pointerSize": 134}} if _large(path) else {})
            for path, data in found
        ]
        self._answer(json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.command, self.path, wanted))
        if self.headers.get("Authorization"):
            self.server.tokens.append(self.headers["Authorization"])
        match = re.fullmatch(rf"/(cdn|{REPOSITORY}/resolve/{REVISION})/(.+)", self.path.partition("?")[0])
        if not match or match[2] not in self.server.files:
            self._answer(b"", {"X-Error-Code": "EntryNotFound"}, 404)
            return
        data = self.server.files[match[2]]
        if _large(match[2]) and match[1] != "cdn":
            self._answer(b"", {"Location": f"/cdn/{match[2]}"}, 302)
            return
        if _large(match[2]) and self.server.damage:
            data = bytes(len(data))
        headers = {"Accept-Ranges": "bytes"}
        start = re.fullmatch(r"bytes=(\d+)-", wanted)
        if start:
            first = int(start[1])
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self._answer(data[first:], headers, 206)
            return
        send = None
        if _large(match[2]) and self.server.cut_after is not None:
            send, self.server.cut_after = self.server.cut_after, None
        self._answer(data, headers, send=send)


def _large(path: str) -> bool:
    return path.endswith(".safetensors")


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    weights = tmp_path / "weights.safetensors"
    write_weights(weights, values=6_000_000)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "requires_safety_checker": True,
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "unet": ["diffusers", "UNet2DConditionModel"],
    }
    server = Hub(
        {
            "model_index.json": json.dumps(index).encode(),
            "unet/config.json": b"{}",
            WEIGHTS: weights.read_bytes(),
            "unet/diffusion_pytorch_model.bin": b"a pickle",
            "README.md": b"not wanted",
        }
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


PROGRAM = f"""
import json, sys
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.library import downloads
item = downloads.Download("tiny-base", "Tiny base", "", "CC0", {REPOSITORY!r}, {REVISION!r}, 24_000_000, {FILES!r})
steps = []
try:
    folder = downloads.get(item, lambda done, total: steps.append((done, total)),
                           lambda: "--cancel" in sys.argv and steps and steps[-1][0] > 15_000_000, sys.argv[1])
except GPSDreamError as error:
    print(json.dumps({{"error": error.failure.kind, "message": error.failure.message, "hint": error.failure.hint}}))
except downloads.DownloadCancelled:
    print(json.dumps({{"cancelled": True}}))
else:
    print(json.dumps({{"folder": str(folder), "steps": steps}}))
"""


def fetch(address: str, *arguments: str, offline: str = "0") -> dict[str, object]:
    """Download in a process of its own, since the tests' own process is offline for good."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, address, *arguments],
        env={**os.environ, "HF_HUB_OFFLINE": offline, "HF_TOKEN": "hf_secret"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_model_is_fetched_whole_and_tidy(hub: Hub) -> None:
    answer = fetch(hub.address)
    folder = paths.models_dir() / "tiny-base"
    assert answer["folder"] == str(folder)
    here = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert here == set(FILES.values())
    assert (folder / FILES[WEIGHTS]).read_bytes() == hub.files[WEIGHTS]
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    assert index["safety_checker"] == [None, None]
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    assert answer["steps"], "progress is told"
    assert not any(path.endswith((".bin", ".md")) for method, path, _ in hub.asked)
    assert not hub.tokens, "a token of the person's is not sent along"


def test_a_broken_connection_is_taken_up_again(hub: Hub) -> None:
    hub.cut_after = 15_000_000
    answer = fetch(hub.address)
    assert (Path(str(answer["folder"])) / FILES[WEIGHTS]).read_bytes() == hub.files[WEIGHTS]
    assert any(wanted for _, _, wanted in hub.asked)


def test_a_cancelled_download_goes_on_where_it_was(hub: Hub) -> None:
    assert fetch(hub.address, "--cancel") == {"cancelled": True}
    assert not (paths.models_dir() / "tiny-base").exists()
    (piece,) = (paths.models_dir() / "tiny-base.part").rglob("*.safetensors.part")
    size = piece.stat().st_size
    assert 0 < size < len(hub.files[WEIGHTS])
    assert not any(wanted for _, _, wanted in hub.asked)
    answer = fetch(hub.address)
    assert (Path(str(answer["folder"])) / FILES[WEIGHTS]).read_bytes() == hub.files[WEIGHTS]
    assert [wanted for _, _, wanted in hub.asked if wanted][-1] == f"bytes={size}-"


def test_damaged_weights_are_noticed_and_removed(hub: Hub) -> None:
    hub.damage = True
    answer = fetch(hub.address)
    assert answer["error"] == ErrorKind.MODEL_CORRUPT
    assert WEIGHTS in str(answer["message"])
    hub.damage = False
    assert "folder" in fetch(hub.address)


def test_no_connection_and_no_permission_are_told_apart(hub: Hub) -> None:
    answer = fetch("http://127.0.0.1:9")
    assert answer["error"] == ErrorKind.NETWORK
    assert "goes on" in str(answer["hint"])
    answer = fetch(hub.address, offline="1")
    assert answer["error"] == ErrorKind.NETWORK
    assert "HF_HUB_OFFLINE" in str(answer["hint"])
    assert not hub.asked


def test_a_small_disk_is_told_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    item = Download("huge", "Huge", "", "CC0", REPOSITORY, REVISION, 10**18, {"a.safetensors": "a.safetensors"})
    with pytest.raises(GPSDreamError) as error:
        downloads.get(item)
    assert error.value.failure.kind is ErrorKind.DISK_FULL


def test_the_registry_pins_commits_and_safetensors() -> None:
    items = downloads.downloads()
    assert "stable-diffusion-v1-5" in {item.name for item in items}
    for item in items:
        assert re.fullmatch(r"[0-9a-f]{40}", item.revision)
        assert item.licence
        assert all(path.endswith((".json", ".txt", ".safetensors")) for path in item.files)
        weights = [path for path in item.files.values() if path.endswith(".safetensors")]
        assert len(weights) == 3


@pytest.mark.parametrize(("revision", "path"), [("main", "a.safetensors"), (REVISION, "a.bin"), (REVISION, "a.ckpt")])
def test_branches_and_pickles_have_no_place_in_it(revision: str, path: str) -> None:
    with pytest.raises(ValueError, match="tiny"):
        Download("tiny", "Tiny", "", "CC0", REPOSITORY, revision, 1, {path: path})


def test_what_is_here_is_not_fetched_again() -> None:
    (paths.models_dir() / "stable-diffusion-v1-5").mkdir()
    item = downloads.find_download("stable-diffusion-v1-5")
    assert downloads.get(item) == paths.models_dir() / "stable-diffusion-v1-5"


def test_a_base_in_half_precision_opens_in_full(tmp_path: Path) -> None:
    # The registry fetches half precision: it is half as large, and training wants full.
    import torch
    from diffusers import StableDiffusionPipeline

    from gpsdream_app.training.build import open_base
    from gpsdream_app.training.config import TrainConfig
    from tests.unit.models.test_pipeline import BOX, tiny_stable_diffusion

    folder = tiny_stable_diffusion(tmp_path / "full")
    StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, safety_checker=None, dtype=torch.float16
    ).save_pretrained(tmp_path / "half")
    opened = open_base(tmp_path / "half", TrainConfig.for_base().model, BOX, has_heading=True)
    for part in (opened.unet, opened.vae, opened.text_encoder, opened.location_encoder):
        assert next(part.parameters()).dtype is torch.float32
