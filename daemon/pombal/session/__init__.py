"""Sessions: one supervised actor each, its outbox, and the registry of all of them."""
