"""Every kind of fault, a file each."""

from collections.abc import Mapping

from tests.faults import library, small_disk
from tests.faults.kinds import (
    clients,
    clock,
    crowd,
    descriptors,
    disk_full,
    freeze,
    hung_writer,
    io_errors,
    kill,
    links,
    locked,
    read_only,
    stalled_disk,
    terminate,
)
from tests.faults.kinds.kind import Kind

MODULES = (
    kill, terminate, freeze, locked, disk_full, read_only, io_errors, stalled_disk, hung_writer, clock, descriptors,
    links, crowd, clients,
)  # fmt: skip
KINDS: Mapping[str, Kind] = {module.KIND.name: module.KIND for module in MODULES}


def missing() -> dict[str, str]:
    """What this machine lacks, of all that faults may need, and why."""
    found = {"disk": small_disk.missing(), "library": library.missing()}
    return {need: reason for need, reason in found.items() if reason is not None}
