"""Following one message by its events until it is where somebody wants it, or will not get there."""

from typing import TYPE_CHECKING, Any

from pombal.cli.client import call_patiently, spinner
from pombal.cli.failures import CommandFailed, ExitCode
from pombal.cli.message_views import failure_of
from pombal.model.events import EventType
from pombal.model.message import MessageStatus
from pombal.model.message_status import RANK

if TYPE_CHECKING:
    from pombal.control.client import Client, EventStream

ENDS = frozenset({MessageStatus.FAILED, MessageStatus.UNCERTAIN})


def is_over(status: str, wanted: MessageStatus) -> bool:
    """Whether waiting has an end: the status is reached or passed, or a person has to look."""
    return status in ENDS or RANK[MessageStatus(status)] >= RANK[wanted]


async def follow_send(
    client: "Client", params: dict[str, Any], wanted: MessageStatus, timeout_s: float
) -> dict[str, Any]:
    """Send, wait at most timeout_s, and return the Message as it is then.

    The subscription comes first: what happens between the send and its answer is told as well. Raises CommandFailed
    where the daemon goes away in between, and what sending raises.
    """
    from pombal.control.client import Disconnected, NoDaemon

    async with client.events(sessions=[params["session"]], types=[EventType.MESSAGE_STATUS]) as events:
        message = await call_patiently(client, "message.send", params)
        try:
            return await _follow(client, events, message, wanted, timeout_s)
        except (Disconnected, NoDaemon):
            raise CommandFailed(
                f"{message['message_id']} is queued, but the daemon went away while it was waited for; "
                f"see `pombal message show {message['session']} {message['message_id']}`",
                ExitCode.NO_DAEMON,
            ) from None


async def _follow(
    client: "Client", events: "EventStream", message: dict[str, Any], wanted: MessageStatus, timeout_s: float
) -> dict[str, Any]:
    import trio

    if is_over(message["status"], wanted):
        return message
    with trio.move_on_after(timeout_s), spinner(f"waiting for {message['message_id']}"):
        await _until_over(client, events, message["id"], wanted)
    return await client.call("message.get", {"id": message["id"]})


async def _until_over(client: "Client", events: "EventStream", message: int, wanted: MessageStatus) -> None:
    async for event in events:
        if event["type"] == EventType.GAP:
            status = (await client.call("message.get", {"id": message}))["status"]
        elif event["data"].get("id") == message:
            status = event["data"]["status"]
        else:
            continue
        if is_over(status, wanted):
            return


def judge(message: dict[str, Any], wanted: MessageStatus, timeout_s: float) -> None:
    """Raises CommandFailed unless the message is where it was wanted."""
    status = MessageStatus(message["status"])
    if RANK[status] >= RANK[wanted]:
        return
    name = f"{message['session']} {message['message_id']}"
    if status in ENDS:
        raise CommandFailed(
            f"message {name} {'failed' if status == MessageStatus.FAILED else 'is uncertain'}: {failure_of(message)}; "
            f"send it again with `pombal message resend {name}`"
        )
    raise CommandFailed(
        f"message {name} is {status} after {timeout_s:g} s, and not {wanted}; it goes on by itself: "
        f"see `pombal message show {name}`"
    )
