"""WhatsApp's protobufs, as pyaileys carries them; they are made at import and have no types."""

from typing import Any

from pyaileys.proto import WAProto_pb2

P: Any = WAProto_pb2
