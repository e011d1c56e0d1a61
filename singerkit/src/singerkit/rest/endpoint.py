"""The rows: one endpoint is the whole truth about one stream, one source is what its endpoints share.

Takes what the vendor's documentation says; gives frozen values that everything else reads. `check.py` refuses bad ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from singerkit.rest.auth import Auth, NoAuth
from singerkit.rest.message import Place
from singerkit.rest.pages import Pages, Single
from singerkit.rest.retry import Policy

if TYPE_CHECKING:
    from singerkit.rest.bookmarks import Bookmark
    from singerkit.rest.rules import Rule


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A record, or a parent's row, is passed over unless this holds."""

    field: str
    """Path of the field in the record."""
    is_: Literal["=", "!=", ">", "<", "in", "present", "absent"] = "="
    """How the field is compared; null counts as absent."""
    value: Any = None
    """What the field is compared with."""


@dataclass(frozen=True, kw_only=True)
class Parent:
    """Where a child's parameters come from: each row of the parent gives one walk of the child."""

    stream: str
    """Name of the parent's row."""
    params: Mapping[str, str]
    """Placeholders of the child, each with the path of the parent's field that fills it: `{"form_id": "id"}`."""
    fields: Mapping[str, str] | None = None
    """Columns of the child that come from the parent, each with its path there; unset: the same as `params`."""
    known_by: str | None = None
    """Path of the parent's field that names it in a STATE, where its parameters may change: the id behind a name."""
    query: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the parent's request carries only when it is walked for this child."""
    only_if: tuple[Condition, ...] = ()
    """Conditions on the parent's row; where one does not hold, the parent is passed over."""
    changed_by: str | None = None
    """A bookmark field of the parent: only parents whose value moved since the last good run are walked."""
    first_days: int | None = None
    """With `changed_by`: how far back the first run goes."""

    @property
    def columns(self) -> Mapping[str, str]:
        """The child's columns that come from the parent."""
        return self.params if self.fields is None else self.fields


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A hint for the loader; on a column that never changes, or a row could be in two partitions at once."""

    mode: Literal["datetime", "md5", "numerical", "auto"] = "datetime"
    """How rows are spread."""
    keys: tuple[str, ...]
    """The columns, which must never change in the life of a row."""
    format: Literal["month", "week", "day", "hour"] | None = None
    """Width of a datetime partition."""
    count: int | None = None
    """Number of md5 partitions."""
    size: int | None = None
    """Width of a numerical partition."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The walk goes by windows of time, and a window that meets the vendor's result cap is halved."""

    days: float = 30
    """Length of the first windows."""
    cap: int
    """How many records the vendor gives for one query at most."""
    total: str | None = None
    """JSONPath of the number of results: with it, a capped window is halved before any of its records is written."""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """The rows are a list inside of each record: many parents come with one request, each with its children.

    Bookmark, `lifted` and the pages are the record's; keys, conditions, renames and drops are the rows'. A row has the
    columns that are lifted from its record.
    """

    path: str
    """JSONPath of the list in the record."""
    lifted: Mapping[str, str] = field(default_factory=dict)
    """Columns that repeat a field from inside the row, where it is there: `{"commit_id": "commit.oid"}`."""
    more: str | None = None
    """JSONPath of flags in the record: where one of them is true, the list is not whole."""
    rest: str | None = None
    """Path of the request for the whole list of such a record; `{names}` are settings and columns of the record."""
    pages: Pages = field(default_factory=Single)
    """How one page of that list leads to the next."""


Read = Callable[["ReadCall"], Iterator[Any]]
"""A function of reads.py: yields dicts, lists of dicts or Arrow tables."""


@dataclass(frozen=True)
class ReadCall:
    """What a function of reads.py is called with: the row, how to send, where to begin, and the parent's values."""

    endpoint: Endpoint
    send: Callable[..., Any]
    since: Any
    parent: Mapping[str, Any]
    config: Mapping[str, Any]
    source: Source


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One stream: where it is read, how its pages go on, what a record is, and what is known about it."""

    name: str
    """Name of the stream."""
    path: str = ""
    """Path below the base address, or a full address; `{names}` are settings or a parent's parameters."""
    method: Literal["GET", "POST"] = "GET"
    """The HTTP method."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of every request; texts may hold `{names}`."""
    body: Any = None
    """JSON body of every request; texts may hold `{names}`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of every request, beside the source's."""
    records: str = "$"
    """JSONPath of the records in the body; a list is opened, an object is one record."""
    records_optional: bool = False
    """Whether the path may lead nowhere in a good answer; otherwise that is an error."""
    columns: tuple[str, ...] = ()
    """Names for records that are no objects: `[week, additions, deletions]` for lists, `[topic]` for plain values,
    `[language, bytes]` for the members of one object."""
    only_if: tuple[Condition, ...] = ()
    """Conditions on a record; where one does not hold, it is no row of this stream."""
    lifted: Mapping[str, str] = field(default_factory=dict)
    """Columns that repeat a field from inside the record, for keys and bookmarks: `{"committed_at": "commit.date"}`."""
    inside: Inside | None = None
    """The rows are not the records, but lists inside of them."""
    integers: tuple[str, ...] = ()
    """Columns of whole numbers that the vendor writes as texts."""
    keys: tuple[str, ...] = ()
    """The columns that name a record; a child's contain its parent's."""
    own_keys: bool = False
    """Whether the vendor promises that this child's keys are unique without its parent's."""
    bookmarks: tuple[Bookmark, ...] = ()
    """Fields that tell how far a run came; the first is the default, the catalog's replication key chooses."""
    pages: Pages = field(default_factory=Single)
    """How one page leads to the next."""
    max_pages: int | None = None
    """Page cap for each parent; when it cuts, a warning names stream and parent."""
    window: Window | None = None
    """Windows of time, where the vendor caps the results of one query."""
    parents: tuple[Parent, ...] = ()
    """None, one parent, or two whose rows are combined."""
    rules: tuple[Rule, ...] = ()
    """What the vendor means by an answer, where HTTP's own meaning is not it; the first that fits counts."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Fields that get another name."""
    snake_case: bool = False
    """Whether fieldNames become field_names."""
    drop: tuple[str, ...] = ()
    """Fields that are never written: secrets in the vendor's records; `user.token` is a field inside of `user`."""
    partition: Partition | None = None
    """How the loader may partition the table."""
    version_keys: tuple[str, ...] = ()
    """Columns that order the versions of one record, where a batch holds several."""
    vendor_keeps: str | None = None
    """How long the vendor keeps records (`90d`): what it forgot stays in the table, a full load merges."""
    scopes: tuple[str, ...] = ()
    """What a credential must be granted."""
    scopes_help: str = ""
    """Where and how it is granted."""
    selected: bool = True
    """Whether the stream is read when nobody chose."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema of a record."""
    schema_file: str | None = None
    """File with the JSON Schema of a record, beside the rows; unset and no schema: `schemas/<name>.json`."""
    read: str | None = None
    """`module:function` for what a row cannot say."""
    description: str = ""
    """What one row of the stream is."""
    warnings: tuple[str, ...] = ()
    """What a reader of the catalog must know: changes that the bookmark misses, records that the vendor forgets."""

    def bookmark(self, name: str) -> Bookmark | None:
        """Return the bookmark on a field, or None where the row has none on it."""
        return next((one for one in self.bookmarks if one.field == name), None)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What all endpoints of a source share; texts may hold the `{names}` of settings."""

    base_url: str
    """Address that paths are below."""
    auth: Auth = field(default_factory=NoAuth)
    """How requests are signed."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of every request to the base address' own origin."""
    policy: Policy = field(default_factory=Policy)
    """How patient the client is."""
    rate_limit: float | None = None
    """Requests a second at most."""
    concurrency: int = 4
    """Requests under way at once at most."""
    parents_with_bookmark: int = 1000
    """How many parents get a bookmark of their own before one for all takes over."""
    parents_kept: int = 100_000
    """How many parents' rows are kept in memory for the next child; beyond, parents are walked again."""
    resume_hours: float = 24
    """How long a place inside a walk stays good; vendors' cursors expire."""


__all__ = ["Condition", "Endpoint", "Inside", "Parent", "Partition", "Place", "Read", "ReadCall", "Source", "Window"]
