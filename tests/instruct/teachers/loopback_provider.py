"""A provider of OpenAI's chat completions on loopback that answers, refuses, stalls or breaks as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Say:
    """What to send back: an answer, or whatever else may come over a wire."""

    content: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    refusal: str | None = None
    wait_s: float = 0.0
    raw: bytes | None = None
    finish: str = "stop"
    tokens: tuple[int, int] = (200, 50)


def answer(value: Any, reasoning: str = "It follows from the measurement.") -> Say:
    """Return an answer in the form that was asked for."""
    return Say(content=json.dumps({"reasoning": reasoning, "answer": value}))


@dataclass
class Provider:
    """A running server: its address, what it was asked, and what it says next."""

    url: str
    asked: list[dict[str, Any]]
    say: Callable[[dict[str, Any], int], Say]

    @property
    def teacher(self) -> str:
        """Name of the teacher that asks here."""
        return f"openai-compatible:{self.url}#loopback-1"


@contextmanager
def provider(say: Callable[[dict[str, Any], int], Say]):
    """Serve until the block ends; ``say`` is given the request and its number, from 0."""
    lock = threading.Lock()
    running = Provider(url="", asked=[], say=say)

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(running.asked)
                running.asked.append({**body, "authorization": self.headers.get("Authorization")})
            said = running.say(body, number)
            if said.wait_s:
                time.sleep(said.wait_s)
            payload = said.raw if said.raw is not None else _payload(said, body)
            try:
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Answers)
    running.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing where a client was killed or would not wait."""


def _payload(said: Say, body: dict[str, Any]) -> bytes:
    if said.status != 200:
        return json.dumps({"error": {"message": "told to fail", "type": "server_error", "code": None}}).encode()
    message = {"role": "assistant", "content": said.content, "refusal": said.refusal}
    sent, answered = said.tokens
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": said.finish, "logprobs": None}],
            "usage": {"prompt_tokens": sent, "completion_tokens": answered, "total_tokens": sent + answered},
        }
    ).encode()
