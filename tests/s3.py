"""A server of S3 on loopback, moto's, in threads of the test's process: what is between it and the library
is HTTP. Some of its buckets are of servers that are not as they should be, by the word their name begins
with."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

Environ = dict[str, Any]
Answer = Iterable[bytes]
CONDITION = "HTTP_IF_NONE_MATCH"


class Handler(WSGIRequestHandler):
    """Keeps connections open, as servers do, and prints nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class Server:
    """The server, and what it was asked: method and path."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._numbers = count(1)
        self._forgotten: set[str] = set()
        self._application = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=Handler
        )

    @property
    def environment(self) -> dict[str, str]:
        """What sam-cluster is told of it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.port}",
            "AWS_ACCESS_KEY_ID": "sam",
            "AWS_SECRET_ACCESS_KEY": "cluster",
            "NO_PROXY": "127.0.0.1",
        }

    @contextmanager
    def running(self) -> Iterator[Server]:
        """While it answers, this process knows it by its environment."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield self
        self._server.shutdown()
        thread.join()
        self._server.server_close()

    def new_bucket(self, kind: str = "good") -> str:
        """The name of a bucket that is empty."""
        name = f"{kind}-{next(self._numbers)}"
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port)
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status == 200
        connection.close()
        return name

    def names(self, bucket: str) -> set[str]:
        """All that is in a bucket."""
        return set(self._keys(bucket))

    def content(self, bucket: str, name: str) -> bytes:
        return bytes(self._keys(bucket)[name].value)

    def put(self, bucket: str, name: str) -> None:
        """Something, without a request."""
        s3_backends["123456789012"]["aws"].put_object(bucket, name, b"{}")

    def make_old(self, bucket: str, name: str) -> None:
        """As if it had been written long ago."""
        self._keys(bucket)[name].last_modified = datetime(2020, 1, 1, tzinfo=UTC)

    def _keys(self, bucket: str) -> Any:
        return s3_backends["123456789012"]["aws"].buckets[bucket].keys

    def _answer(self, environ: Environ, start: Callable[..., Any]) -> Answer:
        path = environ["PATH_INFO"]
        self.asked.append(f"{environ['REQUEST_METHOD']} {path}")
        kind = path.strip("/").partition("-")[0]
        if kind == "careless":
            environ.pop(CONDITION, None)
        elif kind == "simple" and CONDITION in environ:
            return refusal(environ, start, "501 Not Implemented", "NotImplemented")
        elif kind == "closed":
            return refusal(environ, start, "403 Forbidden", "AccessDenied")
        elif kind == "forgetful" and CONDITION in environ and path not in self._forgotten:
            self._forgotten.add(path)
            list(self._application(environ, lambda *args: None))
            environ["CONTENT_LENGTH"] = "0"
            return refusal(environ, start, "503 Slow Down", "SlowDown")
        return self._application(environ, start)


def refusal(environ: Environ, start: Callable[..., Any], status: str, code: str) -> Answer:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = f"<Error><Code>{code}</Code><Message>{status}</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]
