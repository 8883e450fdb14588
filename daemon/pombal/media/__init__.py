"""Files of messages: kept by their sha256, each once, whole or not at all."""
