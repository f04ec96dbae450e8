"""A loopback HTTP server whose faults a test chooses."""

import hashlib
import http.server
import threading
from dataclasses import dataclass, field

import pytest


@dataclass
class Site:
    """What the server serves and how it misbehaves; `faults` are used up one per request, None = behave."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | str | None] = field(default_factory=list)  # a status, or "cut <bytes>"
    takes_ranges: bool = True
    honours_ranges: bool = True
    etags: bool = True
    content_type: str = "application/octet-stream"
    ranges: list[str | None] = field(default_factory=list)  # Range header of every request so far

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


class _Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.site
        site.ranges.append(self.headers["Range"])
        fault = site.faults.pop(0) if site.faults else None
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = site.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        body = self._start(content)
        if fault:
            body = body[: int(fault.removeprefix("cut "))]
            self.close_connection = True
        self.wfile.write(body)

    def _start(self, content):
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        wanted = self.headers["Range"] if self.site.takes_ranges and self.site.honours_ranges else None
        if wanted and self.headers["If-Range"] in (None, etag):
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return b""
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            first = 0
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - first))
        self.send_header("Content-Type", self.site.content_type)
        if self.site.takes_ranges:
            self.send_header("Accept-Ranges", "bytes")
        if self.site.etags:
            self.send_header("ETag", etag)
        self.end_headers()
        return content[first:]


@pytest.fixture
def site(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    served = Site()
    handler = type("Handler", (_Handler,), {"site": served})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        server.shutdown()
        thread.join()
