"""What each change does to the rows it finds: one function a change, run inside the writer's transaction.

A function reads and writes through the workspace and returns the change's answer. It raises PombalError to refuse, and
only before it has written anything.
"""
