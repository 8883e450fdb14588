"""Stand-ins that behave: a link one can script, and the real rooms on a store that needs no thread."""
