"""Every REST tap beside a server that repeats what it was sent: in errors, pages, redirects and half answers."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from singerkit.rest.tap import RestTap
from singerkit.testing.contract import world
from singerkit.testing.fake_api import FakeApi, Reply, Trouble
from tap_rest.tap import TapRest

from .commands import installed, verbs_of
from .marks import key, mark, marked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from singerkit.testing.contract import World
    from singerkit.testing.fake_api import Asked

    from .conftest import Line

pytestmark = pytest.mark.slow
_REST_TAPS = [tap for tap in installed() if issubclass(tap, RestTap)]
TAPS = [pytest.param(tap, id=tap.name) for tap in _REST_TAPS]
KEYED = [tap for tap in _REST_TAPS if any("key" in name for name in marked(tap.config_jsonschema))]
"""Those that sign with a private key."""
FEW = 4
_OURS = frozenset({"host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "content-type"})


def configured(there: World) -> dict[str, Any]:
    """The tap's settings with every secret marked that is one text, patient for a moment only."""
    secrets = marked(there.tap.config_jsonschema)
    chosen = {name: value for name, value in secrets.items() if "key" not in name and not isinstance(value, dict)}
    chosen |= {name: value for name, value in secrets.items() if name in there.config}
    return {**there.config, **chosen, "max_attempts": 2, "report_file": "report.json"}


def few(there: World, folder: Path) -> Sequence[str]:
    """The option of a catalog with a few streams: a tap may have a hundred, which fail in the same way."""
    catalog = there.catalog
    for place, stream in enumerate(catalog["streams"]):
        root = next(entry for entry in stream["metadata"] if not entry["breadcrumb"])
        root["metadata"]["selected"] = place < FEW
    (folder / "few.catalog").write_text(json.dumps(catalog))
    return "--catalog", str(folder / "few.catalog")


def credential(asked: Asked) -> str:
    """What the request was signed with, as the server got it."""
    signed = (text for name, text in asked.headers.items() if name not in _OURS)
    return " ".join([*signed, *asked.query.values(), str(asked.body)])


def repeated(asked: Asked) -> str:
    """The credential in every form that a server may write it."""
    text = credential(asked)
    word = text.rpartition("Bearer ")[2]
    coded = base64.b64encode(b"u:" + word.encode()).decode()
    return " ".join([text, quote(word), html.escape(word), repr(word), coded])


ANSWERS: Mapping[str, Callable[[Asked], Reply]] = {
    "unknown key": lambda asked: Reply({"message": f"who is {repeated(asked)}"}, 401),
    "forbidden": lambda asked: Reply({"error": {"message": f"{repeated(asked)} may not"}}, 403),
    "not found": lambda asked: Reply(f"nothing for {repeated(asked)}".encode(), 404),
    "at the end of what is shown": lambda asked: Reply({"message": "x" * 280 + credential(asked)}, 422),
    "at the end of what is read": lambda asked: Reply(b" " * 3980 + credential(asked).encode(), 422),
    "away": lambda asked: Reply({"message": repeated(asked)}, 503),
    "no JSON": lambda asked: Reply(f"<p>{repeated(asked)}".encode()),
    "other JSON": lambda asked: Reply({"credentials": repeated(asked)}),
    "elsewhere": lambda asked: Reply(None, 302, {"Location": f"http://127.0.0.1:9/?token={quote(credential(asked))}"}),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("tap", TAPS)
def test_a_server_that_repeats_the_credential(tap: type[RestTap], answer: Callable[[Asked], Reply], line: Line) -> None:
    """Whatever a vendor says, in a sync and in a check: it comes out masked."""
    with world(tap) as there:
        config = configured(there)
        catalog = few(there, line.folder)
        there.api.routes.clear()
        there.api.route("/*", answer)
        for words in ((), ("check", "--json")):
            line(there.tap, config, *words, *catalog)
        assert there.api.asked


@pytest.mark.parametrize("tap", TAPS)
def test_verbs_beside_a_server_that_repeats_the_credential(tap: type[RestTap], line: Line) -> None:
    """Every verb and option that asks the server shows its words masked."""
    with world(tap) as there:
        config = configured(there)
        stream = next(row.name for row in there.tap(config=dict(config)).rows.values() if not row.parents)
        there.api.routes.clear()
        there.api.route("/*", ANSWERS["unknown key"])
        for words in (("--test",), ("--discover",), *verbs_of(tap, stream)):
            line(there.tap, config, *words)


@pytest.mark.parametrize("tap", TAPS)
def test_a_server_that_is_good(tap: type[RestTap], line: Line) -> None:
    """Rows, STATEs, files, reports and answers to verbs hold nothing of how they were got."""
    with world(tap) as there:
        config = configured(there)
        stream = next(row.name for row in there.tap(config=dict(config)).rows.values() if not row.parents)
        catalog = few(there, line.folder)
        assert line(there.tap, config, *catalog) == 0
        assert '"type":"RECORD"' in line.said.replace(" ", "")
        batches = {"output": "batch", "batch_dir": str(line.folder / "batches")}
        assert line(there.tap, {**config, **batches}, *catalog) == 0
        for words in verbs_of(tap, stream):
            line(there.tap, config, *words, *catalog)


@pytest.mark.parametrize("tap", TAPS)
def test_a_network_that_fails(tap: type[RestTap], line: Line) -> None:
    """Cut answers and connections that break are said without what was under way."""
    with world(tap) as there:
        config = configured(there)
        there.api.trouble(*(Trouble(cut=True) if number % 2 else Trouble(reset=True) for number in range(200)))
        catalog = few(there, line.folder)
        line(there.tap, config, *catalog)
        line(there.tap, config, "check", "--json", *catalog)
        line(there.tap, {**config, "allow_private_hosts": False}, *catalog)


@pytest.mark.parametrize("tap", TAPS)
def test_a_crash(tap: type[RestTap], line: Line) -> None:
    """A traceback whose text holds the whole configuration holds no secret of it."""
    with world(tap) as there:

        class Crashing(there.tap):  # type: ignore[name-defined, misc]  # any tap
            __module__ = there.tap.__module__  # where its schemas are

            def in_order(self, streams: list[Any]) -> list[Any]:
                shown = dataclasses.asdict(self.settings)
                raise RuntimeError(f"{self.config} {self.settings} {shown} {len(streams)}")

        assert line(Crashing, configured(there)) == 1
        assert "Traceback" in line.said


@pytest.mark.parametrize("tap", KEYED, ids=lambda tap: tap.name)
def test_keys_that_are_none(tap: type[RestTap], line: Line) -> None:
    """A private key that cannot be read is not quoted by whoever tried to read it."""
    with world(tap) as there:
        secrets = marked(there.tap.config_jsonschema)
        keys = {name: key(name) for name in secrets if "key" in name}
        rest = {name: value for name, value in there.config.items() if name not in secrets}
        catalog = few(there, line.folder)
        for words in ((), ("check",)):
            assert line(there.tap, {**rest, **keys, "app_id": "1", "max_attempts": 1}, *words, *catalog) != 0


LOGINS: Mapping[str, dict[str, Any]] = {
    "session": {"method": "session", "login_url": "{url}/login", "body": {"user": "ada", "password": "{written}"}},
    "client": {"method": "oauth2", "token_url": "{url}/login", "client_id": "ada", "client_secret": "{written}"},
    "basic": {"method": "basic", "user": "ada", "password": "{written}"},
    "key": {"method": "api_key", "name": "k", "place": "query", "key": "{written}"},
}


@pytest.mark.parametrize("auth", LOGINS.values(), ids=LOGINS)
def test_ways_to_sign(auth: dict[str, Any], line: Line) -> None:
    """However a secret is sent, and for whatever token: what a server repeats is masked."""
    with FakeApi() as api:
        api.route("/login", {"token": mark("given"), "access_token": mark("given")})
        api.route("/rows", ANSWERS["forbidden"])
        filled = {name: text.format(url=api.url) if name.endswith("_url") else text for name, text in auth.items()}
        rows = {"name": "rows", "path": "/rows", "keys": ["id"], "schema": {"properties": {"id": {"type": "integer"}}}}
        config: dict[str, Any] = {
            "base_url": api.url,
            "auth": filled,
            "endpoints": [rows],
            "secrets": {"written": mark("written")},
        }
        config |= {"allow_private_hosts": True, "max_attempts": 1}
        line.also |= {mark("given")}
        for words in ((), ("check", "--json"), ("preview", "rows")):
            assert line(TapRest, config, *words) == 5, line.said[-600:]
        assert "***" in line.said


def test_the_marks_are_repeated(line: Line) -> None:
    """The server's words do come out, masked: these tests look at what is said, not at silence."""
    with world(TapRest) as there:
        config = configured(there)
        there.api.routes.clear()
        there.api.route("/*", ANSWERS["unknown key"])
        line(there.tap, config)

        assert mark("secrets") in config["secrets"]["token"]
        assert "who is Bearer ***" in line.said
