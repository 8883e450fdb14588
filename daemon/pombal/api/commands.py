"""What a WebSocket client may ask: `send`, `mark_read`, `inject`. Each command has one answer, with its `ref`."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, Field
from starlette.types import Message

from pombal.api.context import Api
from pombal.api.problems import told
from pombal.api.requests import MarkReadBody, SendBody
from pombal.api.sending import carry_out_send
from pombal.api.whose import session_or_only
from pombal.auth.tokens import Identity
from pombal.model.errors import STATUS_OF_KIND, Kind, PombalError, invalid
from pombal.model.message import MessageType
from pombal.model.params import InjectParams, MarkReadParams
from pombal.model.params_base import Params, PhoneNumber, SessionRef, parse_params
from pombal.model.strict_json import NotJson, parse_json
from pombal.model.text import storable

log = structlog.get_logger()

REF_MAX_CHARACTERS = 128
INJECT_MAX = 1000

Answer = dict[str, Any]


class SendCommand(SendBody):
    """As POST send, but that the message's type is called `message_type`: `type` is the command's."""

    type: MessageType = Field(MessageType.TEXT, strict=False, alias="message_type")


class InjectCommand(Params):
    """simulator.inject, with the session under its usual name."""

    session: SessionRef
    from_: PhoneNumber = Field(alias="from")
    text: str | None = None
    message_type: MessageType = Field(MessageType.TEXT, strict=False)
    count: Annotated[int, Field(ge=1, le=INJECT_MAX)] = 1


class Commands:
    """Carries out the commands of one client."""

    def __init__(self, api: Api, identity: Identity) -> None:
        self._api = api
        self._identity = identity
        self._known: dict[str, Callable[[dict[str, Any]], Awaitable[Answer]]] = {
            "send": self._send,
            "mark_read": self._mark_read,
            "inject": self._inject,
        }

    async def answer(self, message: Message) -> Answer:
        """The answer to a frame, whatever it holds. message: ASGI's `websocket.receive`."""
        ref = None
        try:
            command = _parse(message)
            ref = _ref(command.pop("ref", None))
            answer = await self._carry_out(command)
        except PombalError as error:
            return _error(ref, error)
        except Exception:
            log.exception("websocket command crashed")
            text = "the daemon failed at this command; its log says how. It may or may not have been carried out"
            return _error(ref, PombalError(Kind.CRASHED, text))
        return {"type": "result", "ref": ref} | answer

    async def _carry_out(self, command: dict[str, Any]) -> Answer:
        name = command.pop("type", None)
        handler = self._known.get(name) if isinstance(name, str) else None
        if handler is None:
            raise invalid(f"type: there are the commands {', '.join(self._known)}")
        self._api.rate_limit.take(self._identity.token_id)
        return await handler(command)

    async def _send(self, command: dict[str, Any]) -> Answer:
        sent = await carry_out_send(self._api.service, parse_params(SendCommand, command), self._identity.caller)
        return {"created": sent.created, "result": _shown(sent.message)}

    async def _mark_read(self, command: dict[str, Any]) -> Answer:
        body = parse_params(MarkReadBody, command)
        session = await session_or_only(self._api.service, self._identity.caller, body.session)
        params = MarkReadParams(session=session, message_ids=body.message_ids)
        return {"result": _shown(await self._api.service.call("message.mark_read", params, self._identity.caller))}

    async def _inject(self, command: dict[str, Any]) -> Answer:
        body = parse_params(InjectCommand, command)
        params = InjectParams.model_construct(
            name=body.session, from_=body.from_, text=body.text, type=body.message_type, count=body.count
        )
        return {"result": _shown(await self._api.service.call("simulator.inject", params, self._identity.caller))}


def _parse(message: Message) -> dict[str, Any]:
    text = message.get("text")
    if text is None:
        raise invalid("commands are JSON in text frames")
    try:
        command = parse_json(text.encode())
    except NotJson as error:
        raise invalid(f"the frame cannot be read: {error}") from None
    if not isinstance(command, dict):
        raise invalid("a command is a JSON object")
    return command


def _ref(value: Any) -> Any:
    """Whatever the client knows its command by. Raises PombalError (invalid)."""
    if isinstance(value, str) and len(value) <= REF_MAX_CHARACTERS:
        return storable(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53):
        return value
    raise invalid(f"ref: must be a text of at most {REF_MAX_CHARACTERS} characters, or a whole number")


def _error(ref: Any, error: PombalError) -> Answer:
    shown = {"kind": error.kind, "status": STATUS_OF_KIND[error.kind], "detail": storable(told(error))}
    return {"type": "error", "ref": ref} | shown | {name: value for name, value in error.data.items() if value}


def _shown(result: BaseModel) -> Any:
    return json.loads(result.model_dump_json(warnings=False))
