"""A scripted model behind the OpenAI API, over real HTTP: well-behaved, broken, slow, hostile or gullible.

A behaviour is a function from the request's body to a ``Reply``; the server keeps every body it was sent.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass
class Reply:
    """What goes over the wire. ``body`` is sent as it is; ``drip_s`` sleeps after each byte.

    ``cut``: the connection breaks after so many bytes of it.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    drip_s: float = 0.0
    cut: int | None = None


Behaviour = Callable[[Json], Reply]


def say(content: str | None, **choice: Any) -> Reply:
    """A completion with this text; ``usage``, ``refusal`` and ``finish_reason`` may be given."""
    usage = choice.pop("usage", {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100})
    message = {"role": "assistant", "content": content, "refusal": choice.pop("refusal", None)}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"} | choice],
        "usage": usage,
    }
    return Reply(json.dumps(body).encode())


def fail(status: int, **headers: str) -> Reply:
    """An error of the API."""
    body = json.dumps({"error": {"message": "scripted", "type": "scripted", "code": None}}).encode()
    return Reply(body, status, headers)


def read_data(request: Json) -> Json:
    """The questions inside a request."""
    text = request["messages"][1]["content"]
    assert text.startswith("<data>")
    assert text.endswith("</data>")
    assert text.count("<") == text.count(">") == 2
    found: Json = json.loads(text[len("<data>") : -len("</data>")])
    return found


def read_schema(request: Json) -> Json:
    """Properties of one answer in the schema of a request."""
    schema = request["response_format"]["json_schema"]["schema"]
    found: Json = schema["properties"]["answers"]["items"]["properties"]
    return found


def answer_first(request: Json, **overrides: Any) -> Json:
    """The first candidate of each field, surely."""
    return {
        "answers": [
            {
                "field": one["key"],
                "target": one["candidates"][0],
                "confidence": 0.9,
                "why": "name",
            }
            | overrides
            for one in read_data(request)["fields"]
        ]
    }


def behave(request: Json) -> Reply:
    """A good model."""
    return say(json.dumps(answer_first(request)))


class ScriptedModel:
    """The server. ``behaviour`` may be changed at any time; a list is used up one by one, the last stays."""

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = [behave]
        self.requests: list[Json] = []
        self.keys: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _build_handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def script(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)
        self.requests.clear()

    def take(self, request: Json) -> Behaviour:
        with self._lock:
            self.requests.append(request)
            return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    @contextmanager
    def running(self) -> Iterator[ScriptedModel]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def _build_handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.keys.append(self.headers.get("Authorization", ""))
            reply = model.take(request)(request)
            time.sleep(reply.wait_s)
            try:
                self._send(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the caller's patience ended first

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if not reply.drip_s:
                self.wfile.write(reply.body[: reply.cut])
                self.close_connection = reply.cut is not None
                return
            for at in range(len(reply.body)):
                self.wfile.write(reply.body[at : at + 1])
                self.wfile.flush()
                time.sleep(reply.drip_s)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
