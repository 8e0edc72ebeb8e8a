"""A TLS webhook that answers as a test says and records requests: a stand-in for istiod's."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

Answer = Callable[[bytes, str], tuple[int, bytes]]
"""From a body and the path to an HTTP status and a body."""

NAME = "istiod.istio-system.svc"


class StandIn:
    """Serves until it is closed; its certificate has NAME and 127.0.0.1."""

    def __init__(self, answer: Answer, folder: Path) -> None:
        self.reviews: list[dict[str, Any]] = []
        reviews = self.reviews

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reviews.append(json.loads(body))
                status, content = answer(body, self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        ca = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(NAME, "127.0.0.1", key_type=trustme.KeyType.ECDSA).configure_cert(context)
        self.ca = folder / f"{id(self)}.pem"
        ca.cert_pem.write_to_path(str(self.ca))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def flags(self, side: str) -> list[str]:
        """Return what `compare` needs to ask it."""
        url = f"https://127.0.0.1:{self.port}"
        return [f"--{side}", url, f"--{side}-ca", str(self.ca), f"--{side}-name", NAME]

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
