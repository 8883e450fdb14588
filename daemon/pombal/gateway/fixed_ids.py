"""Sends under an id of ours: what makes a repeated send the same message to WhatsApp.

whatsmeow takes the id of a message as a parameter (``SendRequestExtra.ID``). neonize 0.5.2 has that parameter for no
message that phones understand: its ``SendMessage`` leaves the id to whatsmeow, which makes one up, by one call of
``GenerateMessageID`` in ``(*Client).SendMessage``. An id that is made up within the send is not known before it, so a
send whose answer a crash took could never be repeated as the same message.

So that one call is led through a few instructions of ours, in memory and in no file: a thread that has an id for its
next send gets that, and every other caller what it always got. neonize is pinned exactly, and what has to be known of
its build is written down here and compared byte for byte first. On any other build, on another processor, or where
the kernel does not let a process write to its own code, nothing is touched and ``install`` says so: the gateway then
tells the daemon that it cannot deduplicate, and nothing is ever sent twice.
"""

import ctypes
import os
import platform
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

log = structlog.get_logger()

SLOTS = 64
"""Threads that may be sending at once."""
ARENA_IDS = 16_384
"""Ids kept at their place in memory: whatsmeow remembers the last 256 of each client by reference."""
ID_MAX_BYTES = 32

_SLOT = struct.Struct("<QQQ")  # thread, address, length


@dataclass(frozen=True, slots=True)
class Build:
    """What has to be known of one build of neonize's library: addresses relative to where it is loaded."""

    call: int
    """The instruction in (*Client).SendMessage that calls (*Client).GenerateMessageID."""
    target: int
    """(*Client).GenerateMessageID."""
    target_begins: bytes
    room: int
    """Unused, and mapped executable: the rest of the last page of code."""


BUILDS: Final[dict[tuple[str, str], Build]] = {
    ("0.5.2", "x86_64"): Build(
        call=0x6FE762,
        target=0x6FDF60,
        target_begins=bytes.fromhex("4c8da424d8feffff4d3b66100f865404"),
        room=0x915840,
    )
}


class FixedIds:
    """Installed once a process. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table = ctypes.create_string_buffer(_SLOT.size * SLOTS)
        self._free = list(range(SLOTS))
        self._arena = ctypes.create_string_buffer(ID_MAX_BYTES * ARENA_IDS)
        self._next_id = 0
        self.is_installed = False

    def install(self, library: str, version: str) -> bool:
        """Lead the call through our instructions; False, with a line in the log, where this build is not known.

        library: the path of neonize's library, loaded already, with no client running yet.
        """
        build = BUILDS.get((version, platform.machine()))
        try:
            if build is None:
                raise _Unknown(f"neonize {version} on {platform.machine()}")  # noqa: TRY301
            _patch(_base_of(library), build, ctypes.addressof(self._table))
        except (_Unknown, OSError) as error:
            log.warning("message ids cannot be fixed before sending; sends will not be repeated", reason=str(error))
            return False
        self.is_installed = True
        return True

    @contextmanager
    def next_id(self, link_id: str) -> Iterator[None]:
        """Within, the first message that this thread sends goes under link_id. Without an installation: no effect."""
        if not self.is_installed:
            yield
            return
        slot = self._take(link_id.encode("ascii"))
        try:
            yield
        finally:
            with self._lock:
                _SLOT.pack_into(self._table, slot * _SLOT.size, 0, 0, 0)
                self._free.append(slot)

    def _take(self, link_id: bytes) -> int:
        if len(link_id) > ID_MAX_BYTES:
            raise ValueError("an id longer than WhatsApp's")
        with self._lock:
            slot, place = self._free.pop(), self._next_id * ID_MAX_BYTES
            self._next_id = (self._next_id + 1) % ARENA_IDS
            address = ctypes.addressof(self._arena) + place
            ctypes.memmove(address, link_id, len(link_id))
            at = slot * _SLOT.size
            # The thread last: with it, the slot counts.
            struct.pack_into("<QQ", self._table, at + 8, address, len(link_id))
            struct.pack_into("<Q", self._table, at, threading.get_ident())
            return slot


class _Unknown(Exception):
    """Not the build that is known."""


def _base_of(library: str) -> int:
    real = os.path.realpath(library)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5].rstrip("\n") == real and int(fields[2], 16) == 0:
                return int(fields[0].partition("-")[0], 16)
    raise _Unknown(f"{library} is not loaded")


def _patch(base: int, build: Build, table: int) -> None:
    """Compare first, then write the instructions, then the call that leads to them."""
    call, target, room = base + build.call, base + build.target, base + build.room
    stub = _instructions(table, target)
    expected = b"\xe8" + struct.pack("<i", target - (call + 5))
    if ctypes.string_at(call, 5) != expected or not ctypes.string_at(target, 16) == build.target_begins:
        raise _Unknown("another build of neonize's library")
    if any(ctypes.string_at(room, len(stub))):
        raise _Unknown("no room behind the code of neonize's library")
    # Not mprotect: pages that were ever writable and executable are what a hardened unit forbids.
    memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(memory, stub, room)
        if ctypes.string_at(room, len(stub)) != stub:
            raise _Unknown("the kernel did not write")
        os.pwrite(memory, b"\xe8" + struct.pack("<i", room - (call + 5)), call)
    finally:
        os.close(memory)


def _instructions(table: int, target: int) -> bytes:
    """x86-64, by Go's own convention: the receiver in RAX, the string back in RAX and RBX; R12, R13 and RCX are free.

    No frame and no call, so Go's garbage collector and its preemption never see a place that they do not know.
    """
    return b"".join(
        (
            bytes.fromhex("644c8b242510000000"),  # mov r12, fs:[0x10]: pthread_self(), as threading.get_ident()
            b"\x49\xbd" + struct.pack("<Q", table),  # mov r13, table
            b"\xb9" + struct.pack("<I", SLOTS),  # mov ecx, SLOTS
            bytes.fromhex("4d396500"),  # next: cmp [r13], r12
            bytes.fromhex("7415"),  # je found
            bytes.fromhex("4983c518"),  # add r13, 24
            bytes.fromhex("ffc9"),  # dec ecx
            bytes.fromhex("75f2"),  # jnz next
            b"\x49\xbc" + struct.pack("<Q", target),  # mov r12, target
            bytes.fromhex("41ffe4"),  # jmp r12
            bytes.fromhex("498b4508"),  # found: mov rax, [r13+8]
            bytes.fromhex("498b5d10"),  # mov rbx, [r13+16]
            bytes.fromhex("49c7450000000000"),  # mov qword [r13], 0: for one send
            b"\xc3",  # ret
        )
    )
