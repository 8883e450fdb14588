"""A daemon in name only: answers from a script, requests kept, and no pause between tries."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest

from pombal.http_client import AsyncClient, Client
from pombal.http_client import requests as requests_module

URL = "http://pombal.example:8001"
Answer = httpx2.Response | Exception


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Script:
    """What is answered, in turn; the last answer again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return self._answer(request)

    async def later(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        query = dict(parse_qsl(request.url.query.decode()))
        self.asked.append(Asked(request.method, request.url.path, query, dict(request.headers), request.content))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)  # each is read once


def ok(body: Any, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, json=body)


def problem(status: int, kind: str, detail: str = "no", **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"type": "about:blank", "title": "", "status": status, "detail": detail, "kind": kind}
    return httpx2.Response(status, json=body, headers=named)


def client(script: Script, token: Any = "T", **options: Any) -> Client:
    return Client(URL, token, http=httpx2.Client(transport=httpx2.MockTransport(script)), **options)


def async_client(script: Script, token: Any = "T", **options: Any) -> AsyncClient:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(script.later))
    return AsyncClient(URL, token, http=http, **options)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "RETRY_FIRST_S", 0.0)
