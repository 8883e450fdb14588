"""What is set for SQLite as a library, of which a process has one, before anything opens a database."""

import ctypes
import sys
from contextlib import suppress
from importlib.util import find_spec

_CONFIG_MEMSTATUS = 9  # https://sqlite.org/c3ref/c_config_covering_index_scan.html
_OFF = 0
SET = 0  # SQLite's word for it, SQLITE_OK


def keep_no_memory_statistics() -> int | None:
    """SQLite's answer, SET where it has done so; None where its library cannot be told.

    SQLite counts what it allocates under one lock for all threads, and a search allocates for each page that it reads:
    beside the writer, a long one took a quarter longer. Nobody asks for these figures, and SQLite recommends to do
    without (https://sqlite.org/compile.html#recommended_compile_time_options). Python knows no way to it, so the
    library is asked itself, found through Python's own module. It has to come before that module is imported; later it
    is refused, and all goes on as it was.
    """
    module = find_spec("_sqlite3")
    if sys.platform != "linux" or module is None or module.origin is None:
        return None
    with suppress(OSError, AttributeError):  # the module is built in, or hides the library's functions
        answer: int = ctypes.CDLL(module.origin).sqlite3_config(ctypes.c_int(_CONFIG_MEMSTATUS), ctypes.c_int(_OFF))
        return answer
    return None
