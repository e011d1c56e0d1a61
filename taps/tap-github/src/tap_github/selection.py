"""Which repositories the settings choose: names, patterns, exclusions. Pure.

Takes the texts of settings; gives owners to list, names to ask for, and a verdict on each repository. Refuses what is
neither a name nor a pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[\w.*?\[\]-]+")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Selection:
    """What to list and what to ask for; names compare without regard to case, as the vendor compares them."""

    owners: tuple[str, ...]
    """Accounts whose repositories are listed."""
    people: frozenset[str]
    """Those of the owners that are known to be persons."""
    names: tuple[str, ...]
    """Repositories that are asked for by their full name."""
    patterns: tuple[str, ...]
    excluded: tuple[str, ...]
    skip_forks: bool = False
    skip_archived: bool = False

    def lists(self, repository: Mapping[str, Any]) -> bool:
        """Return whether a listed repository is chosen by a pattern."""
        if (self.skip_forks and repository.get("fork")) or (self.skip_archived and repository.get("archived")):
            return False
        name = str(repository["full_name"]).lower()
        return _fits(name, self.patterns) and not _fits(name, self.excluded)

    def takes(self, delivery: Any) -> bool:
        """Return whether a webhook's delivery is about a repository that is chosen.

        An organisation's hook sends of all its repositories. What an owner sends who is not listed came by the hook of
        a repository that is named, which may have another name by now.
        """
        found = delivery.get("repository") if isinstance(delivery, dict) else None
        if not isinstance(found, dict) or not isinstance(found.get("full_name"), str):
            return True
        name = found["full_name"].lower()
        return name in self.names or name.partition("/")[0] not in self.owners or self.lists(found)


def selection(values: Mapping[str, Any]) -> Selection:
    """Return what the settings choose; SettingsError where an entry is no name, or nothing is chosen."""
    given = [str(entry) for entry in values.get("repositories") or ()]
    organizations, users = _accounts(values, "organizations"), _accounts(values, "users")
    wanted = [_checked(entry) for entry in given if not entry.startswith("!")]
    patterns = [entry for entry in wanted if _WILD.search(entry)]
    patterns += [f"{owner}/*" for owner in (*organizations, *users)]
    names = [entry for entry in wanted if not _WILD.search(entry)]
    if not patterns and not names:
        raise SettingsError("nothing is chosen", remedy="set repositories, organizations or users")
    return Selection(
        owners=tuple(dict.fromkeys(entry.partition("/")[0] for entry in patterns)),
        people=frozenset(users),
        names=tuple(dict.fromkeys(names)),
        patterns=tuple(patterns),
        excluded=tuple(_checked(entry[1:]) for entry in given if entry.startswith("!")),
        skip_forks=bool(values.get("skip_forks")),
        skip_archived=bool(values.get("skip_archived")),
    )


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _accounts(values: Mapping[str, Any], setting: str) -> list[str]:
    names = [str(name).strip() for name in values.get(setting) or ()]
    if wrong := [name for name in names if not _OWNER.fullmatch(name)]:
        raise SettingsError(f"{setting}: {wrong[0]} is no name of an account", remedy="write it like octo")
    return [name.lower() for name in names]


def _checked(entry: str) -> str:
    if not _ENTRY.fullmatch(entry.strip()):
        raise SettingsError(
            f"repositories: {entry} is neither a name nor a pattern", remedy="write it like octo/hello or octo/*"
        )
    return entry.strip().lower()
