"""The bounds of wire protocol 1: part of the protocol, so both ends have them and no setting moves them."""

PROTOCOL = 1
TEXT_FRAME_MAX_BYTES = 1_048_576
CHUNK_MAX_BYTES = 262_144
TRANSFER_ID_BYTES = 4
TRANSFER_ID_MAX = 2**32 - 1
FRAME_MAX_BYTES = TEXT_FRAME_MAX_BYTES  # the larger of the two kinds: what a WebSocket library is to be told
WINDOW_CHUNKS = 4  # chunks of one transfer that may be on the way and not confirmed by chunk_ack
NUMBER_MAX = 2**63 - 1  # of sequence and command numbers, so that every language and database holds them
PATH = "/v1/sessions/"
"""A connection's path is this and the session's id."""
