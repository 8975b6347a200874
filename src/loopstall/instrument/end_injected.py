"""A script that Python runs in a process that was watched by ``--inject``; it does nothing where none was.

It stays where it is installed: a process that gets to it only after the command has ended must still find it.
"""

import sys

_injected = sys.modules.get("loopstall.instrument.injected")
if _injected is not None:
    _injected.end()
