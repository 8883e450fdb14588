"""Moving in from the platform's Django app: its `dumpdata` JSON becomes stopped sessions and messages of history."""
