"""A proposed row with the evidence for each of its words, written as a manifest that a person reads before it runs.

Takes words and evidence; gives YAML with comments. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WIDE = 10_000  # never fold a line: a comment stands behind it


@dataclass
class Proposal:
    """The words of a row, and beside them why each was proposed; `notes` say what was not, and why."""

    row: dict[str, Any]
    evidence: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def say(self, word: str, value: Any, why: str) -> None:
        """Propose a word."""
        self.row[word] = value
        self.evidence[word] = why


def manifest_text(base_url: str, auth: Mapping[str, Any] | None, proposals: Iterable[Proposal]) -> str:
    """Return a manifest with the evidence as comments."""
    lines = [f"base_url: {_scalar(base_url)}"]
    if auth:
        lines += _block("auth", auth, "", "")
    lines.append("endpoints:")
    for proposal in proposals:
        lead = "  - "
        for word, value in proposal.row.items():
            lines += _block(word, value, lead, proposal.evidence.get(word, ""))
            lead = "    "
        lines += [f"    # {note}" for note in proposal.notes]
    return "\n".join(lines) + "\n"


def _block(word: str, value: Any, lead: str, why: str) -> list[str]:
    """Return a word with its value as YAML, the evidence behind its first line."""
    if isinstance(value, str | int):
        text = f"{word}: {_scalar(value)}"
    elif word in {"schema", "auth"}:
        text = yaml.safe_dump({word: value}, sort_keys=False, width=_WIDE, allow_unicode=True, default_flow_style=None)
    else:  # on one line, so that the comment stands beside it
        flow = yaml.safe_dump(value, sort_keys=False, width=_WIDE, allow_unicode=True, default_flow_style=True)
        text = f"{word}: {flow.strip()}"
    first, *rest = text.rstrip().splitlines()
    return [lead + first + (f"  # {why}" if why else ""), *(" " * len(lead) + line for line in rest)]


def _scalar(value: str | int) -> str:
    return str(yaml.safe_dump(value, width=_WIDE, allow_unicode=True)).removesuffix("\n").removesuffix("\n...")
