"""Another injector's stand-in: the flags that `bench.py --go` gives, answers in chunks as Go writes them."""

from __future__ import annotations

import argparse
import base64
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers each review with a patch, in pieces of a size that no line or field respects."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        patch = base64.b64encode(b'[{"op":"add","path":"/metadata/labels/x","value":"y"}]').decode()
        response = {"uid": review["request"]["uid"], "allowed": True, "patch": patch}
        body = json.dumps({"response": response}, separators=(",", ":")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 17):
            piece = body[at : at + 17]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in (
        "address",
        "port",
        "tlsCertFile",
        "tlsKeyFile",
        "injectConfig",
        "injectValues",
        "meshConfig",
    ):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    server = ThreadingHTTPServer((given.address, int(given.port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given.tlsCertFile, given.tlsKeyFile)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
