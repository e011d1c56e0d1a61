"""Which taps and targets are installed: listed from package metadata alone, imported only to be loaded.

Takes entry points; gives plugins with label, category, keywords, docs and release status. Refuses to let one broken
package hide the others: it is listed as disabled, with its reason and what to install.
"""

from __future__ import annotations

import difflib
import importlib
import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.metadata import Distribution, EntryPoint

Kind = Literal["tap", "target"]
Status = Literal["alpha", "beta", "stable", "unreleased"]

GROUPS: Mapping[str, Kind] = {"singerkit.taps": "tap", "singerkit.targets": "target"}
ALIASES = "singerkit.aliases"
"""Group of old names: each points to the class that has a new name."""
_STATUS: Mapping[str, Status] = {"1": "unreleased", "2": "unreleased", "3": "alpha", "4": "beta", "5": "stable"}


@dataclass(frozen=True)
class Plugin:
    """An installed tap or target, as its package's metadata describes it; nothing of it is imported."""

    name: str
    kind: Kind
    target: str
    """`module:Class`."""
    package: str = ""
    version: str = ""
    label: str = ""
    category: str = ""
    keywords: tuple[str, ...] = ()
    docs: str = ""
    status: Status = "alpha"
    """alpha, beta, stable, or unreleased, which no list shows."""

    def load(self) -> type[Any]:
        """Import and return the class; SettingsError says why it cannot be used and what to install."""
        try:
            found = _imported(self.target)
        except ImportError as error:
            missing = isinstance(error, ModuleNotFoundError)
            remedy = f"pip install --upgrade {self.package or self.target.partition('.')[0]}"
            raise self._disabled(f"{error.name} is not installed" if missing else str(error), remedy) from error
        except Exception as error:  # whatever a package does wrong, it must not hide the others
            raise self._disabled(f"its import fails with {type(error).__name__}", "report it to its author") from error
        if reason := wrong_class(found, self.kind):
            raise self._disabled(reason, f"correct the entry point of {self.package or self.target}")
        return found  # type: ignore[no-any-return]  # wrong_class has looked

    def reason(self) -> str | None:
        """Return why the plugin is disabled, or None where it can be used."""
        try:
            self.load()
        except SettingsError as error:
            return str(error)
        return None

    def _disabled(self, reason: str, remedy: str) -> SettingsError:
        return SettingsError(f"{self.name} is disabled: {reason}", remedy=remedy)


def wrong_class(found: Any, kind: Kind) -> str | None:
    """Return what is wrong with what an entry point names, or None for a subclass of singer_sdk's Tap or Target."""
    import singer_sdk

    base = singer_sdk.Tap if kind == "tap" else singer_sdk.Target
    if isinstance(found, type) and issubclass(found, base) and found is not base:
        return None
    return f"{getattr(found, '__qualname__', found)!s} is no subclass of singer_sdk.{base.__name__}"


def plugins(*, hidden: bool = False, points: Sequence[EntryPoint] | None = None) -> list[Plugin]:
    """Return what is installed, by name; `hidden` includes what is not released."""
    found = [_plugin(point) for point in (_points() if points is None else points) if point.group in GROUPS]
    return sorted((one for one in found if hidden or one.status != "unreleased"), key=lambda one: (one.kind, one.name))


def duplicates(found: Iterable[Plugin]) -> list[str]:
    """Return the names that several packages claim."""
    return sorted(name for name, times in Counter(one.name for one in found).items() if times > 1)


def find(name: str, kind: Kind = "tap", points: Sequence[EntryPoint] | None = None) -> Plugin:
    """Return a plugin by name, by an old name, or by `module:Class`; SettingsError names the nearest known one."""
    if ":" in name:
        return Plugin(name, kind, name)
    every = _points() if points is None else points
    known = plugins(hidden=True, points=every)
    if old := next((point for point in every if point.group == ALIASES and point.name == name), None):
        new = next((one.name for one in known if one.target == old.value), old.value)
        warnings.warn(f"{name} is now called {new}", DeprecationWarning, stacklevel=2)
        name = new
    fits = [one for one in known if one.name == name]
    if len({one.target for one in fits}) > 1:
        packages = ", ".join(sorted(one.package for one in fits))
        raise SettingsError(f"{name} is claimed by several packages", packages=packages, remedy="uninstall all but one")
    if fits:
        return fits[0]
    near = difflib.get_close_matches(name, [one.name for one in known], n=1)
    remedy = f"did you mean {near[0]}?" if near else "see `singerkit plugins`, or give module:Class"
    raise SettingsError(f"{name} is not installed", remedy=remedy)


def _points() -> list[EntryPoint]:
    return [point for group in (*GROUPS, ALIASES) for point in entry_points(group=group)]


def _plugin(point: EntryPoint) -> Plugin:
    kind = GROUPS[point.group]
    if point.dist is None:
        return Plugin(point.name, kind, point.value)
    return Plugin(
        point.name,
        kind,
        point.value,
        package=_said(point.dist, "Name"),
        version=_said(point.dist, "Version"),
        label=_said(point.dist, "Summary"),
        category=_category(point.dist),
        keywords=tuple(word.strip() for word in _said(point.dist, "Keywords").split(",") if word.strip()),
        docs=_docs(point.dist),
        status=_status(point.dist),
    )


def _said(dist: Distribution, name: str) -> str:
    """Return one line of a package's metadata, or nothing: a missing one is None or an error, by library."""
    return next(iter(dist.metadata.get_all(name) or []), "")


def _classifiers(dist: Distribution, about: str) -> list[list[str]]:
    found = [line.split(" :: ") for line in dist.metadata.get_all("Classifier") or []]
    return [parts for parts in found if parts[0] == about]


def _category(dist: Distribution) -> str:
    topics = _classifiers(dist, "Topic")
    return topics[0][-1] if topics else ""


def _status(dist: Distribution) -> Status:
    given = _classifiers(dist, "Development Status")
    return _STATUS.get(given[0][1][0], "alpha") if given else "alpha"


def _docs(dist: Distribution) -> str:
    urls = [line.split(", ", 1) for line in dist.metadata.get_all("Project-URL") or []]
    return next((url[1] for url in urls if url[0].lower() in {"documentation", "docs"}), "")


def _imported(target: str) -> Any:
    module, _, name = target.partition(":")
    here = str(Path.cwd())
    sys.path.append(here)  # a class of the folder one stands in may be named too
    try:
        found = importlib.import_module(module)
    finally:
        sys.path.remove(here)
    try:
        return getattr(found, name)
    except AttributeError as error:
        raise ImportError(f"{module} has no {name}") from error
