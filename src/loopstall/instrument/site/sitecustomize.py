"""Watches the Python processes that a watched program starts, then runs the ``sitecustomize`` that it hides."""

import importlib.machinery
import importlib.util
import os
from pathlib import Path
import sys

if "LOOPSTALL_WATCH" in os.environ:
    try:
        from loopstall.instrument.child import begin
    except ImportError:  # another environment's Python
        pass
    else:
        begin()

_others = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]
_spec = importlib.machinery.PathFinder.find_spec("sitecustomize", _others)
if _spec is not None and _spec.loader is not None:
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["sitecustomize"] = _module
    _spec.loader.exec_module(_module)
