"""Import hook: calls back after a module has been imported.

It imports little, because every process of a watched program imports it: neither ``importlib.abc`` nor more.
"""

from importlib.machinery import ModuleSpec
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

__all__ = ["ImportHook"]


class ImportHook:
    """Calls back when modules have been imported; at once for those that have been.

    Args:
        wanted: what to call, by the top-level name of the module, with the module.
    """

    def __init__(self, wanted: "dict[str, Callable[[Any], object]]") -> None:
        self._wanted = dict(wanted)
        for name in wanted:
            module = sys.modules.get(name)
            if module is not None and not getattr(module.__spec__, "_initializing", False):
                self._wanted.pop(name)(module)
        if self._wanted:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Waits for nothing any more."""
        self._wanted.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None" = None
    ) -> ModuleSpec | None:
        """Finds an awaited module by the other finders, and wraps its loader."""
        if name not in self._wanted:
            return None
        for finder in [finder for finder in sys.meta_path if finder is not self]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Telling(spec.loader, name, self._arrived)  # type: ignore[assignment]  # has all that one has
                return spec
        return None

    def _arrived(self, name: str, module: "ModuleType") -> None:
        told = self._wanted.pop(name, None)
        if told is not None:
            told(module)


class _Telling:
    """A loader that calls back when the module has been loaded, and leaves no trace in it."""

    def __init__(self, inner: Any, name: str, told: "Callable[[str, ModuleType], object]") -> None:
        self._inner = inner
        self._name = name
        self._told = told

    def create_module(self, spec: ModuleSpec) -> "ModuleType | None":
        created: ModuleType | None = self._inner.create_module(spec)
        return created

    def exec_module(self, module: "ModuleType") -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        if module.__spec__ is not None:  # whoever hooks it from now on finds it whole
            module.__spec__._initializing = False  # type: ignore[attr-defined]  # noqa: SLF001  # as importlib does next
        self._told(self._name, module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
