#!/usr/bin/env python3
"""github.com's releases over TLS on loopback, for curl and for nobody else.

Takes a folder; serves FOLDER/files at any address that ends in a file's name, after a redirect to
another host, as GitHub does. FOLDER/mode says what goes wrong: `fine`, `missing`, `busy` (twice 503),
`cut` (half a file, once), `other` (other bytes), `plain` (a redirect to http). Writes FOLDER/ca.pem,
FOLDER/.curlrc, which sends curl here and makes it trust this server alone, FOLDER/port and
FOLDER/requests. The installer knows nothing of it.
"""
import http.server
import ssl
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])
HOSTS = "github.com", "release-assets.githubusercontent.com"


class Releases(http.server.BaseHTTPRequestHandler):
    n_failed = 0

    def do_GET(self) -> None:
        host, mode = self.headers["Host"], (FOLDER / "mode").read_text().strip()
        with open(FOLDER / "requests", "a") as log:
            log.write(f"{host} {self.path}\n")
        if mode == "busy" and Releases.n_failed < 2:
            Releases.n_failed += 1
            return self.answer(503, b"busy")
        file = FOLDER / "files" / Path(self.path).name
        if mode == "missing" or not file.exists():
            return self.answer(404, b"not found")
        if host == HOSTS[0]:
            scheme = "http" if mode == "plain" else "https"
            return self.answer(302, b"", Location=f"{scheme}://{HOSTS[1]}{self.path}")
        body = file.read_bytes()
        if mode == "other":
            body += b"\n"
        if mode == "cut" and Releases.n_failed == 0:
            Releases.n_failed += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            return self.connection.close()
        return self.answer(200, body)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    key, certificate = FOLDER / "key.pem", FOLDER / "ca.pem"
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=releases of the tests", "-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Releases)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    lines = [f'connect-to = "{host}:443:127.0.0.1:{server.server_port}"' for host in HOSTS]
    (FOLDER / ".curlrc").write_text("\n".join([f'cacert = "{certificate}"', *lines, ""]))
    (FOLDER / "port").write_text(str(server.server_port))
    server.serve_forever()


main()
