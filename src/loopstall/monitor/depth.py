"""The depth to which a stack is read, by a look from inside the process and by one from outside alike."""

__all__ = ["DEPTH"]

DEPTH = 256
"""Frames kept of a stack, the innermost ones, for they say what blocks: more than a web framework
puts around a handler and a library beneath it, so that the user's own lines are among them.
A stack that has fewer is whole."""
