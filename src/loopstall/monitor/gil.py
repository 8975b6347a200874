"""The GIL of this interpreter: a question for the moment, because a free-threaded build may have one as well.

It has one where it was started with ``PYTHON_GIL=1``, while an extension is imported, and from then on where that
extension has asked for it.
"""

from collections.abc import Callable
import sys
import sysconfig

__all__ = ["FREE_THREADED", "has_gil"]

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
"""True where this build can do without a GIL: then another thread may run at any moment, whatever ``has_gil`` says."""

has_gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
"""Returns whether threads of this process wait for a GIL now."""
