"""A Hugging Face hub on 127.0.0.1: the endpoints that a snapshot download needs, and no more.

Knows one repository per instance. Keeps the requests it answered, and can be told to drop a connection half-way.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """One model repository served from a folder. Files above `large_bytes` have sha256 names, as Git LFS gives them."""

    def __init__(self, repo: str, folder: Path, large_bytes: int = 100_000) -> None:
        self.repo, self.folder, self.large_bytes = repo, folder, large_bytes
        self.requests: list[tuple[str, str, str | None]] = []      # (method, path, Range)
        self.drops = 0                                              # so many GETs of large files end half-way
        self.statuses: dict[str, int] = {}                          # path prefix -> refuse with this
        self.endpoint = ""

    def etag(self, file: Path) -> str:
        content = file.read_bytes()
        if len(content) > self.large_bytes:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def tree(self) -> list[dict]:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return [{"type": "file", "path": path.relative_to(self.folder).as_posix(), "size": path.stat().st_size, "oid": self.etag(path)[:40]}
                for path in files]

    @contextmanager
    def serve(self) -> Iterator["FakeHub"]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_HEAD(self):
                self.answer(with_body=False)

            def do_GET(self):
                self.answer(with_body=True)

            def answer(self, with_body):
                hub.requests.append((self.command, self.path, self.headers.get("Range")))
                for prefix, status in hub.statuses.items():
                    if self.path.startswith(prefix):
                        code = {401: "RepoNotFound", 403: "GatedRepo", 404: "RevisionNotFound"}.get(status, "")
                        return self.send(status, b"{}", {"X-Error-Code": code}, with_body)
                api, resolve = f"/api/models/{hub.repo}", f"/{hub.repo}/resolve/{COMMIT}/"
                if self.path.startswith(f"{api}/tree/"):
                    return self.send(200, json.dumps(hub.tree()).encode(), {}, with_body)
                if self.path.startswith(f"{api}/revision/") or self.path == api:
                    info = {"id": hub.repo, "modelId": hub.repo, "sha": COMMIT, "siblings": []}
                    return self.send(200, json.dumps(info).encode(), {}, with_body)
                file = hub.folder / self.path.removeprefix(resolve)
                if not self.path.startswith(resolve) or not file.is_file():
                    return self.send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, with_body)
                content, status = file.read_bytes(), 200
                headers = {"ETag": f'"{hub.etag(file)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
                if self.headers.get("Range"):
                    start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
                    headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                    content, status = content[start:], 206
                return self.send(status, content, headers, with_body)

            def send(self, status, content, headers, with_body):
                self.send_response(status)
                for name, text in (headers | {"Content-Length": str(len(content)), "Content-Type": "application/json"}).items():
                    self.send_header(name, text)
                self.end_headers()
                if with_body and len(content) > hub.large_bytes and hub.drops:
                    hub.drops -= 1
                    self.wfile.write(content[: len(content) // 2])
                    self.wfile.flush()
                    self.close_connection = True
                elif with_body:
                    self.wfile.write(content)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
        thread.start()
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
