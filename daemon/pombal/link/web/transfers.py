"""Files to a gateway and from it, in chunks within the window; never a whole file in memory."""

import trio

from pombal.link.base import LinkLost, MediaReceiver, MediaShelf, MediaSource
from pombal.link.web.conversation import Conversation
from pombal.link.web.questions import Question
from pombal.link.wire.commands import GetMedia, MediaTaken, PutMedia
from pombal.link.wire.frames import MediaItem
from pombal.model.errors import PombalError, not_found


async def put_file(conversation: Conversation, source: MediaSource, sha256: str, timeout_s: float) -> None:
    """Give the gateway a file. timeout_s: without progress.

    Raises LinkLost, GatewayDeclined, PombalError (what the source refuses).
    """
    size_bytes = await source.size_of(sha256)
    if size_bytes is None:
        raise not_found(f"there is no media with sha256 {sha256}")
    transfer = conversation.end.next_transfer()
    command = PutMedia(sha256, size_bytes, transfer)
    id_, question = conversation.begin(command)
    try:
        await _send_chunks(conversation, source, command, question, timeout_s)
        await conversation.answer_of(question, command, timeout_s)
    except PombalError:
        conversation.say_chunk(transfer, b"")  # too short: the gateway drops it
        raise
    finally:
        conversation.withdraw(id_)


async def _send_chunks(
    conversation: Conversation, source: MediaSource, command: PutMedia, question: Question, timeout_s: float
) -> None:
    """Until all is said, or the gateway has answered before that."""
    offset = 0
    while offset < command.size_bytes:
        while (room := conversation.end.room_bytes(command.transfer)) == 0 and question.answer is None:
            await _progress(conversation, question, timeout_s)
        if question.answer is not None:
            return
        data = await source.read(command.sha256, offset, min(room, command.size_bytes - offset))
        if not data:
            raise not_found(f"the media with sha256 {command.sha256} is shorter than it was")
        if not conversation.say_chunk(command.transfer, data):
            return
        offset += len(data)
    conversation.say_chunk(command.transfer, b"")


async def get_file(
    conversation: Conversation, shelf: MediaShelf, item: MediaItem, timeout_s: float, answer_timeout_s: float
) -> None:
    """Take a file from the gateway; once it is on the shelf, for good, say so.

    Raises LinkLost, GatewayDeclined, PombalError (what the shelf refuses).
    """
    async with shelf.receive(item.sha256, item.size_bytes) as reception:
        command = GetMedia(item.sha256, conversation.end.next_transfer())
        id_, question = conversation.begin(command)
        try:
            await _take_chunks(conversation, reception, command, question, timeout_s)
            await conversation.answer_of(question, command, timeout_s)
        finally:
            conversation.withdraw(id_)
        await reception.keep()
    await conversation.ask(MediaTaken(item.sha256), answer_timeout_s)


async def _take_chunks(
    conversation: Conversation, reception: MediaReceiver, command: GetMedia, question: Question, timeout_s: float
) -> None:
    """Until the end. What the shelf refuses is taken and dropped all the same: the gateway has begun to send it."""
    refusal: PombalError | None = None
    while True:
        while not question.chunks:
            if question.answer is not None:
                break
            await _progress(conversation, question, timeout_s)
        if not question.chunks or not (data := question.chunks.popleft()):
            break
        if refusal is None:
            try:
                await reception.write(data)
            except PombalError as error:
                refusal = error
        conversation.say_taken(command.transfer, len(data))
    if refusal is not None:
        raise refusal


async def _progress(conversation: Conversation, question: Question, timeout_s: float) -> None:
    conversation.check()
    with trio.move_on_after(timeout_s) as scope:
        await question.bell.wait()
    if scope.cancelled_caught:
        conversation.lose(f"the transfer of a file made no progress for {timeout_s:g} s")
        raise LinkLost(f"the transfer of a file made no progress for {timeout_s:g} s")
