"""What one host carries, measured with the real daemon as a process: `pombal bench`.

Each benchmark is one file and finds figures; beside a figure stands what the host itself could do at best, taken in
the same run: single numbers say little about a machine that others use as well, ratios do.
"""
