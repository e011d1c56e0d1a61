"""One contract for every tap: what a tap promises, each promise a function that asserts it.

Takes a tap class; gives nothing, or fails. Taps of rows are run against an API made of their own rows; a package may
add what these cannot say by a module `loopback`: settings in `EXAMPLE`, routes in `serve(api)`.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml
from singer_sdk.singerlib import Catalog

from singerkit.errors import CredentialsError
from singerkit.plugins import plugins
from singerkit.rest import check
from singerkit.rest.fill import filled
from singerkit.rest.schema import schemas
from singerkit.rest.tap import RestTap
from singerkit.rest.tokens import TokenAuth
from singerkit.settings import meltano
from singerkit.settings.kinds import sounds_secret
from singerkit.settings.schema import flat, required
from singerkit.testing.fake_api import FakeApi, Reply, Trouble
from singerkit.testing.mirror import mirror, put
from singerkit.testing.runner import Run, cut, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from singer_sdk import Tap

    from singerkit.rest.endpoint import Endpoint

    Promise = Callable[[type[Any]], None]

CANARY = "canary-9b1f4e"
"""The value of every secret setting while the contract is tried."""
_BUILT_IN = ("stream_map", "faker_", "flattening_")  # singer-sdk adds these when it is asked, not before


_CUTS, _CUTS_OF_MANY = 12, 3  # a run of many streams takes seconds, and its streams are read by one engine
_MANY_STREAMS = 30


@dataclass(frozen=True)
class World:
    """A tap beside an API that it can read."""

    tap: type[RestTap]
    api: FakeApi
    config: Mapping[str, Any]

    def run(self, state: Mapping[str, Any] | None = None, *, level: int = logging.DEBUG, **config: Any) -> Run:
        """Run the tap with every stream selected, also those that are off by default."""
        return run(self.tap, {**self.config, **config}, state, self.catalog, level)

    @cached_property
    def readable(self) -> list[Endpoint]:
        """The rows whose records this API serves: all that no function reads."""
        return [row for row in self.tap(config=dict(self.config)).rows.values() if row.read is None]

    @cached_property
    def catalog(self) -> dict[str, Any]:
        """The catalog with every stream selected; made once, since a tap of many streams takes a second for it."""
        made = self.tap(config=dict(self.config)).catalog
        for entry in made.values():
            entry.metadata.root.selected = True
        return Catalog(made).to_dict()


@contextmanager
def world(tap: type[RestTap]) -> Iterator[World]:
    """Serve a tap's own rows on loopback, and yield the tap pointed there."""
    with FakeApi() as api:
        there = _pointed_at(tap, api)
        config = example_config(tap) | {"state_interval_s": 0, "retry_base_s": 0.001, "allow_private_hosts": True}
        known = there(config=config)
        mirror(api, known.rows.values(), {name: stream.schema for name, stream in known.streams.items()})
        _serve_login(api, known)
        getattr(_loopback(tap), "serve", lambda api: None)(api)  # noqa: ARG005  # most taps need no more
        yield World(there, api, config)


@lru_cache(maxsize=8)
def calm(tap: type[RestTap]) -> tuple[Run, list[Endpoint]]:
    """Return a whole run with every log line, and the rows that it was to read; one serves several promises."""
    with world(tap) as there:
        return there.run(), there.readable


def example_config(tap: type[Tap]) -> dict[str, Any]:
    """Return the least configuration that a tap accepts, made from its own settings; secrets are the canary."""
    schema = tap.config_jsonschema
    wanted = {*required(schema), *(schema.get("x-settings-groups") or [[]])[0]}
    made = {name: _example(schema["properties"][name]) for name in sorted(wanted)}
    return made | dict(getattr(_loopback(tap), "EXAMPLE", {}))


def installed() -> list[Any]:
    """Return the classes of all installed taps, those of other packages too."""
    return [one.load() for one in plugins(hidden=True) if one.kind == "tap" and one.reason() is None]


# -- promises of every tap -----------------------------------------------------------------------------------------


def secrets_are_marked(tap: type[Tap]) -> None:
    """A setting whose name sounds like a secret states whether it is one."""
    for name, (prop, _) in flat(tap.config_jsonschema).items():
        if sounds_secret(name) and "string" in prop["type"]:
            assert "secret" in prop, f"{tap.name}: setting {name} sounds like a secret and does not say whether it is"


def settings_are_described(tap: type[Tap]) -> None:
    """Every setting has a label and a sentence."""
    for name, prop in tap.config_jsonschema["properties"].items():
        assert prop.get("title"), f"{tap.name}: setting {name} has no label"
        assert prop.get("description"), f"{tap.name}: setting {name} has no caption"


def meltano_says_the_same(tap: type[Tap]) -> None:
    """Where the project's meltano.yml describes the tap, its settings and secrets are those of `--about`."""
    for block in _meltano_blocks(tap.name):
        own = {row["name"]: row for row in meltano.settings(tap.config_jsonschema) if _is_own(row["name"])}
        said = {row["name"]: row for row in block["settings"] if _is_own(row["name"])}
        assert said.keys() == own.keys(), f"{tap.name}: meltano.yml differs"
        for name, row in own.items():
            same = bool(row.get("sensitive")) == bool(said[name].get("sensitive"))
            assert same, f"{tap.name}: {name} is a secret in one of both"


# -- promises of taps of rows --------------------------------------------------------------------------------------


def rows_keep_their_rules(tap: type[RestTap]) -> None:
    """Keys, bookmarks and partitions are in the schema; child keys hold the parent's; no partition changes."""
    known = tap(config=example_config(tap))
    made = schemas(known.rows, known.schema_folder())
    check.check_rows(known.plain_source(), list(known.rows.values()), known.known_names(), made)


def records_fit_their_schema(tap: type[RestTap]) -> None:
    """Every record is valid against the schema that was announced for it, and names its keys."""
    from jsonschema import Draft202012Validator

    done, rows = calm(tap)
    assert done.error is None, str(done.error)
    for row in rows:
        validator = Draft202012Validator(done.schema(row.name))
        records = done.records(row.name)
        assert records, f"{row.name}: no records"
        for record in records:
            errors = [error.message for error in validator.iter_errors(record)]
            assert not errors, f"{row.name}: {errors}"
        keys = [tuple(record[key] for key in row.keys) for record in records]
        assert not row.keys or len({*keys}) == len(keys), f"{row.name}: keys repeat"


def every_page_is_walked(tap: type[RestTap]) -> None:
    """A stream with pages asks for more than one, and gets every record once."""
    done, rows = calm(tap)
    for row in rows:
        if not row.parents and row.pages.style != "single":
            assert len(done.records(row.name)) > 2, f"{row.name}: only one page was read"


def a_cut_run_loses_nothing(tap: type[RestTap]) -> None:
    """Cut at any STATE, what was written before it and what the next run writes are together every record."""
    with world(tap) as there:
        whole = there.run(level=logging.WARNING)
        every = {row.name: _written(whole.messages, row.name) for row in there.readable}
        most = _CUTS if len(every) <= _MANY_STREAMS else _CUTS_OF_MANY
        for before, state in _spread(list(cut(whole)), most):
            again = there.run(state, level=logging.WARNING)
            assert again.error is None, str(again.error)
            for name, records in every.items():
                missing = records - _written(before, name) - _written(again.messages, name)
                assert not missing, f"{name}: lost after a STATE: {sorted(missing)[:3]}"


def storms_change_nothing(tap: type[RestTap]) -> None:
    """429, 500, resets and cut bodies in between: the same records."""
    quiet, rows = calm(tap)
    with world(tap) as there:
        there.api.trouble(
            Trouble(status=429, headers={"Retry-After": "0"}),
            Trouble(status=500),
            Trouble(reset=True),
            Trouble(cut=True),
            Trouble(status=503),
        )
        stormy = there.run(max_attempts=12, level=logging.WARNING)
        assert stormy.error is None, str(stormy.error)
        for row in rows:
            assert stormy.records(row.name) == quiet.records(row.name), f"{row.name}: a storm changed the records"


def bad_credentials_are_said(tap: type[RestTap]) -> None:
    """A server that knows us not ends the run with exit 5, and the canary is nowhere."""
    with world(tap) as there:
        there.api.routes.clear()
        there.api.route("/*", lambda asked: Reply({"message": f"who is {asked.headers.get('authorization')}"}, 401))
        done = there.run()
        assert isinstance(done.error, CredentialsError), f"not said: {done.error}"
        assert CANARY not in str(done.error) + done.stdout + done.log


def no_secret_leaves(tap: type[RestTap]) -> None:
    """The canary is in no message, no log line and no STATE, at any log level."""
    done, _ = calm(tap)
    assert CANARY not in done.stdout + done.log


def stdout_is_singer(tap: type[RestTap]) -> None:
    """stdout carries Singer messages and nothing else, a SCHEMA before the first row of a stream."""
    described = set()
    for line in calm(tap)[0].stdout.splitlines():
        message = json.loads(line)
        assert message["type"] in {"SCHEMA", "RECORD", "STATE", "ACTIVATE_VERSION", "BATCH"}
        if message["type"] == "SCHEMA":
            described.add(message["stream"])
        assert message["type"] == "STATE" or message["stream"] in described


OF_ALL: tuple[Promise, ...] = (secrets_are_marked, settings_are_described, meltano_says_the_same)
"""What every tap promises."""
OF_ROWS: tuple[Promise, ...] = (
    rows_keep_their_rules,
    records_fit_their_schema,
    every_page_is_walked,
    a_cut_run_loses_nothing,
    storms_change_nothing,
    bad_credentials_are_said,
    no_secret_leaves,
    stdout_is_singer,
)
"""What taps of rows promise besides."""


def promises(tap: type[Any]) -> tuple[Promise, ...]:
    """Return what a tap promises."""
    return OF_ALL + (OF_ROWS if issubclass(tap, RestTap) else ())


def cases() -> list[Any]:
    """Return every promise of every installed tap as parameters for pytest."""
    import pytest

    return [
        pytest.param(tap, promise, id=f"{tap.name}-{promise.__name__}")
        for tap in installed()
        for promise in promises(tap)
    ]


def _meltano_blocks(name: str) -> list[dict[str, Any]]:
    """Return what the nearest meltano.yml, here or above, says of a plugin and its settings."""
    here = Path.cwd()
    project = next(
        (place / "meltano.yml" for place in (here, *here.parents) if (place / "meltano.yml").is_file()), None
    )
    plugins_ = yaml.safe_load(project.read_text(encoding="utf-8")).get("plugins", {}) if project else {}
    blocks = [block for group in plugins_.values() for block in group]
    return [block for block in blocks if block["name"] == name and "settings" in block]


def _loopback(tap: type[Tap]) -> Any:
    """Return the package's module for the contract, with `EXAMPLE` settings and `serve(api)`, or None."""
    name = tap.__module__.partition(".")[0] + ".loopback"
    top = importlib.util.find_spec(name.partition(".")[0])
    packaged = top is not None and top.submodule_search_locations is not None
    return importlib.import_module(name) if packaged and importlib.util.find_spec(name) else None


def _pointed_at(tap: type[RestTap], api: FakeApi) -> type[RestTap]:
    class Pointed(tap):  # type: ignore[valid-type, misc]  # any tap
        def plain_source(self) -> Any:
            source = filled(super().plain_source(), self.values)
            auth = source.auth
            there = {
                part.name: api.url + (urlsplit(getattr(auth, part.name)).path or "/")
                for part in dataclasses.fields(auth)
                if part.name.endswith("_url")
            }
            return dataclasses.replace(source, base_url=api.url, auth=dataclasses.replace(auth, **there))

    Pointed.__name__ = tap.__name__
    Pointed.__module__ = tap.__module__
    return Pointed


def _serve_login(api: FakeApi, tap: RestTap) -> None:
    auth = tap.plain_source().auth
    if not isinstance(auth, TokenAuth):
        return
    for part in dataclasses.fields(auth):
        if part.name.endswith("_url"):
            api.route(urlsplit(getattr(auth, part.name)).path, put({"expires_in": 3600}, auth.path, "a-token"))


def _is_own(name: str) -> bool:
    return not name.startswith(_BUILT_IN)


def _example(prop: Mapping[str, Any]) -> Any:
    if prop.get("secret"):
        return CANARY
    if "default" in prop:
        return prop["default"]
    if "enum" in prop:
        return prop["enum"][0]
    kind = (
        next(one for one in [prop["type"]] if isinstance(one, str))
        if isinstance(prop["type"], str)
        else prop["type"][0]
    )
    return {"integer": 1, "number": 1, "boolean": True, "array": ["example"], "object": {}}.get(kind, "example")


def _written(messages: list[dict[str, Any]], stream: str) -> set[str]:
    found = (m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == stream)
    return {json.dumps(record, sort_keys=True, default=str) for record in found}


def _spread(every: list[Any], most: int) -> list[Any]:
    """Return at most so many of the cuts, the first and the last among them."""
    step = max(1, len(every) // most)
    return every[::step] + every[-1:]
