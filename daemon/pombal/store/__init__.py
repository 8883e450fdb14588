"""The store: schema, the single writer, read-only queries, latency rollups, event log. All SQL lives in this room."""
