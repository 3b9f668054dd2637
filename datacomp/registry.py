"""Names to things: filled explicitly and from an entry-point group, iterated sorted.

FILTERS = Registry[type[Filter]]("filter", group="datacomp.filters")
FILTERS.get("clip_score")          # loads the entry point
FILTERS.add("mine", Mine)          # a collision is an error that shows both origins
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from datacomp.errors import DatacompError, UnknownNameError

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """Where a name comes from; the target of an entry point is loaded on first use."""

    name: str
    origin: str
    target: object


class Registry(Generic[T]):
    """A read-only view outwards; `add` is the only way in besides the entry-point group."""

    def __init__(self, kind: str, *, group: str | None = None, see: str | None = None) -> None:
        self.kind, self.group, self.see = kind, group, see
        self._entries: dict[str, Entry] | None = None

    def add(self, name: str, target: T, *, origin: str) -> None:
        """Register `target`; the same name twice is an error unless it is the same object."""
        _insert(self._known(), Entry(name, origin, target), self.kind)

    def get(self, name: str) -> T:
        """The thing registered under `name`; `UnknownNameError` with the nearest name if none."""
        known = self._known()
        if name not in known:
            raise UnknownNameError(self.kind, name, known, self.see)
        target = known[name].target
        return cast(T, target.load() if isinstance(target, EntryPoint) else target)

    def origin(self, name: str) -> str:
        """The distribution or file that registered `name`."""
        self.get(name)
        return self._known()[name].origin

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known()))

    def _known(self) -> dict[str, Entry]:
        if self._entries is None:
            entries: dict[str, Entry] = {}
            for point in entry_points(group=self.group) if self.group else ():
                dist = point.dist
                origin = f"{dist.name} {dist.version}" if dist else "unknown distribution"
                _insert(entries, Entry(point.name, f"{origin} ({point.value})", point), self.kind)
            self._entries = entries
        return self._entries


def _insert(entries: dict[str, Entry], entry: Entry, kind: str) -> None:
    other = entries.get(entry.name)
    if other is not None and (other.origin, other.target) != (entry.origin, entry.target):
        raise DatacompError(
            f"two {kind}s are named {entry.name!r}: one from {other.origin}, one from "
            f"{entry.origin}. Rename one, or uninstall its package."
        )
    entries[entry.name] = entry
