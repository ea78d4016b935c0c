"""A local HTTP server that misbehaves as told, and small recordings."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data_prep import download


@dataclass
class Server:
    """What the server does, and what it was asked."""

    url: str = ""
    content: bytes = b""
    status: int = 200
    knows_ranges: bool = True
    tells_length: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes sent before each early end, in turn
    passing_failures: int = 0  # answers 503 before anything else
    ranges: list[str | None] = field(default_factory=list)  # the Range header of each request


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve `server.content` on the loopback, at any path."""
    monkeypatch.setattr(download, "RETRY_WAITS", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")
    behaviour = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, behaviour)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        behaviour.url = f"http://127.0.0.1:{http.server_port}/corpus.tar.gz"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield behaviour
        http.shutdown()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, server: Server) -> None:
    asked = handler.headers.get("Range")
    server.ranges.append(asked)
    size = len(server.content)
    start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.knows_ranges else 0
    if server.passing_failures:
        server.passing_failures -= 1
        return _refuse(handler, 503)
    if server.status != 200:
        return _refuse(handler, server.status)
    if start and start >= size:
        return _refuse(handler, 416, content_range=f"bytes */{size}")
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    if server.tells_length:
        handler.send_header("Content-Length", str(size - start))
    handler.end_headers()
    length = server.cuts.pop(0) if server.cuts else size
    handler.wfile.write(server.content[start : start + length])
    return None


def _refuse(
    handler: BaseHTTPRequestHandler, status: int, *, content_range: str | None = None
) -> None:
    handler.send_response(status)
    if content_range:
        handler.send_header("Content-Range", content_range)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def write_tone(path: Path, *, seconds: float = 0.25, rate: int = 8000, pitch: float = 200) -> None:
    """Write a short tone; the suffix says which format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    # The container has another name than the suffix for Opus.
    opus = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * time), rate, **opus)


@pytest.fixture(scope="session")
def tone() -> Any:
    """The function that writes a short tone."""
    return write_tone
