"""Watches the Python processes of a watched program, then runs the ``sitecustomize`` that it hides.

Every Python that the program starts runs this: it imports little, and leaves no folder of ours in ``sys.path``.
"""

import os
import sys

_here = os.path.dirname(__file__)  # noqa: PTH120  # pathlib would cost each process some milliseconds
if _here in sys.path:
    sys.path.remove(_here)
if "LOOPSTALL_WATCH" in os.environ:
    try:
        from loopstall.instrument.child import begin
    except ImportError:  # another environment's Python
        pass
    else:
        begin()

from importlib.machinery import PathFinder  # noqa: E402  # here nothing is left of ours that it would find

_spec = PathFinder.find_spec("sitecustomize")
if _spec is not None and _spec.loader is not None:
    from importlib.util import module_from_spec

    _module = module_from_spec(_spec)
    sys.modules["sitecustomize"] = _module
    _spec.loader.exec_module(_module)
