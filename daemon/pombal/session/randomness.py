"""The one source of jitter for all sessions: a random.Random of its own would cost each 2.5 KB."""

import random

jitter = random.Random()  # noqa: S311  # spreads reconnects; nothing secret comes from it
