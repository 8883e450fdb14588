"""Committed events to whoever listens. A subscriber is a cursor over the event log, never a queue."""
