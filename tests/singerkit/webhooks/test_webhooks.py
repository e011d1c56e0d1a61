"""Deliveries: proved, kept in the order of arrival, made rows of streams, forgotten once a STATE covers them."""

from __future__ import annotations

import http.client
import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.errors import SettingsError
from singerkit.rest.endpoint import Condition
from singerkit.webhooks import receiver
from singerkit.webhooks.drain import THROUGH, Drain
from singerkit.webhooks.events import Event, Hooks, latest
from singerkit.webhooks.receiver import Receiver, Seen
from singerkit.webhooks.signature import Hmac
from singerkit.webhooks.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "canary-of-the-hook"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIGNED = Hmac(header="X-Signature", prefix="sha256=")
TIMED = Hmac(header="X-Signature", time_header="X-Time", encoding="base64", window_s=60)
HOOKS = Hooks(
    signature=SIGNED,
    event_header="X-Event",
    events=(
        Event(
            name="item",
            stream="items",
            record="$.item",
            columns={"team": "$.team.id"},
            gone_if=(Condition(field="action", value="deleted"),),
            upper=("state",),
        ),
        Event(name="note", stream="notes", record="$.note"),
        Event(name="note", stream="items", record="$.item", only_if=(Condition(field="item.kind", is_="absent"),)),
    ),
)


def item(number: int, at: str = "2026-01-01", action: str = "edited", **more: Any) -> dict[str, Any]:
    """Return the body of a delivery about an item."""
    return {"action": action, "item": {"id": number, "at": at, **more}, "team": {"id": 7}}


def at_noon(shift_s: float) -> str:
    """Return a moment of sending."""
    return str(int((NOW + timedelta(seconds=shift_s)).timestamp()))


@pytest.mark.parametrize(
    ("scheme", "headers", "flaw"),
    [
        (SIGNED, {"x-signature": SIGNED.made(SECRET, b"{}")}, None),
        (SIGNED, {"x-signature": SIGNED.made("other", b"{}")}, "the signature is another"),
        (SIGNED, {"x-signature": SIGNED.made(SECRET, b"{ }")}, "the signature is another"),
        (SIGNED, {"x-signature": "sha256=\u00e9"}, "the signature is another"),
        (SIGNED, {}, "the signature is missing"),
        (TIMED, {"x-signature": TIMED.made(SECRET, b"{}", at_noon(-59)), "x-time": at_noon(-59)}, None),
        (
            TIMED,
            {"x-signature": TIMED.made(SECRET, b"{}", at_noon(-61)), "x-time": at_noon(-61)},
            "it was sent too long ago",
        ),
        (
            TIMED,
            {"x-signature": TIMED.made(SECRET, b"{}", at_noon(-61)), "x-time": at_noon(0)},
            "the signature is another",
        ),
        (TIMED, {"x-signature": TIMED.made(SECRET, b"{}", "soon"), "x-time": "soon"}, "it was sent too long ago"),
    ],
)
def test_signatures(scheme: Hmac, headers: dict[str, str], flaw: str | None) -> None:
    """Only who knows the secret can have signed these bytes, and a signed moment lies within the window."""
    assert scheme.flaw(SECRET, headers, b"{}", NOW) == flaw


def test_a_delivery_that_comes_again() -> None:
    """Within the window it is known, whatever its other headers say; what could not be kept may come again."""
    seen = Seen(timedelta(days=1))

    first = [seen.is_new(b"a", NOW), seen.is_new(b"a", NOW + timedelta(hours=23)), seen.is_new(b"b", NOW)]
    seen.forget(b"b")

    assert first == [True, False, True]
    assert seen.is_new(b"b", NOW)
    assert seen.is_new(b"a", NOW + timedelta(hours=25))


def test_the_newest_version_of_each_record() -> None:
    """One row a key: of the highest version, and of two that are equal the later."""
    rows: list[dict[str, Any]] = [
        {"id": 1, "at": "3", "n": 1},
        {"id": 2, "at": None, "n": 2},
        {"id": 1, "at": "2", "n": 3},
        {"id": 2, "at": "1", "n": 4},
        {"id": 1, "at": "3", "n": 5},
    ]

    assert [row["n"] for row in latest(rows, ["id"], ["at"])] == [4, 5]


def test_places_are_in_the_order_of_arrival(tmp_path: Path) -> None:
    """Many writers at once, and a clock that goes back: no delivery is seen before an earlier one, all are there."""
    spool = Spool(tmp_path / "spool").open()
    (spool.folder / "last").write_text(str(2**63))
    writers = [threading.Thread(target=lambda: [spool.put("item", "now", {}) for _ in range(8)]) for _ in range(4)]
    for writer in writers:
        writer.start()
    seen: list[str] = []
    while any(writer.is_alive() for writer in writers) or spool.places(seen[-1] if seen else ""):
        seen += spool.places(seen[-1] if seen else "")

    assert seen == sorted(seen)
    assert len(seen) == 32
    assert {stat.S_IMODE(file.stat().st_mode) for file in spool.folder.glob("*.json")} == {0o600}


def test_deliveries_as_rows(tmp_path: Path) -> None:
    """Records with their columns, the deleted marked, those of other streams or conditions left out."""
    spool = Spool(tmp_path).open()
    for body in (item(1, state="open"), item(2), item(1, "2026-01-02", state="closed"), item(2, action="deleted")):
        spool.put("item", NOW.isoformat(), body)
    spool.put("note", NOW.isoformat(), {"note": {"id": 9}, "item": {"id": 3, "kind": "x"}})
    spool.put("other", NOW.isoformat(), {"item": {"id": 4}})

    ((rows, through),) = Drain(spool, HOOKS).rows("items", ["id"], ["at"], "")

    assert rows == [
        {"id": 1, "at": "2026-01-02", "state": "CLOSED", "team": 7},
        {"id": 2, "at": "2026-01-01", "team": 7, "_sdc_deleted_at": NOW.isoformat()},
    ]
    assert through == spool.places()[4]
    assert not [*Drain(spool, HOOKS).rows("items", ["id"], ["at"], through)]


@pytest.mark.parametrize(
    ("reading", "covered", "left"),
    [
        (["items", "notes"], {}, 3),
        (["items", "notes"], {"items": 1}, 2),
        (["items", "notes"], {"items": 2}, 2),
        (["items", "notes"], {"items": 2, "notes": 2}, 0),
        (["items"], {"items": 1}, 1),
        (["notes"], {}, 1),
    ],
    ids=["nothing", "first", "waits for the other stream", "all", "other stream not read", "items not read"],
)
def test_deliveries_stay_until_they_are_covered(
    reading: list[str], covered: dict[str, int], left: int, tmp_path: Path
) -> None:
    """A delivery goes when the STATE that came back covers it for every stream that is read."""
    spool = Spool(tmp_path).open()
    places = [spool.put("item", "", {}), spool.put("note", "", {}), spool.put("note", "", {})]
    bookmarks = {stream: {THROUGH: places[place]} for stream, place in covered.items()}
    if reading == ["notes"]:
        bookmarks = {"notes": {THROUGH: places[1]}}

    Drain(spool, HOOKS).forget(bookmarks, reading)

    assert len(spool.places()) == left


class Sender:
    """Sends deliveries as a vendor does."""

    def __init__(self, to: Receiver) -> None:
        self.to = to

    def send(self, body: bytes, event: str = "item", secret: str = SECRET, **headers: str) -> int:
        """Return the status that a delivery is answered with."""
        connection = http.client.HTTPConnection(self.to.url.removeprefix("http://"), timeout=5)
        signed = {"X-Event": event, "X-Signature": SIGNED.made(secret, body)}
        connection.request("POST", "/any", body=body, headers=signed | headers)
        status = connection.getresponse().status
        connection.close()
        return status


def test_the_receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is proved and wanted is kept once; everything else has its own answer, and leaves no file."""
    monkeypatch.setattr(receiver, "MOST_BYTES", 1000)
    spool = Spool(tmp_path)
    with Receiver(spool, HOOKS, SECRET) as listening:
        sender = Sender(listening)
        body = json.dumps(item(1)).encode()
        answers = {
            "kept": sender.send(body),
            "again": sender.send(body, event="note"),
            "another secret": sender.send(json.dumps(item(2)).encode(), secret="other"),
            "too large": sender.send(b"x" * 1001),
            "no JSON": sender.send(b"not json"),
            "unwanted": sender.send(b"{}", event="ping"),
        }

    assert answers == {
        "kept": 202,
        "again": 200,
        "another secret": 401,
        "too large": 413,
        "no JSON": 400,
        "unwanted": 200,
    }
    assert [delivery.body for delivery in spool.read(spool.places())] == [item(1)]


def test_a_spool_that_is_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What could not be kept is answered so that the vendor sends it again, and is then kept."""
    spool = Spool(tmp_path / "spool")
    with Receiver(spool, HOOKS, SECRET) as listening:
        body = json.dumps(item(1)).encode()
        spool.folder.rename(tmp_path / "away")
        refused = Sender(listening).send(body)
        (tmp_path / "away").rename(spool.folder)
        kept = Sender(listening).send(body)

    assert (refused, kept) == (503, 202)
    assert "it could not be kept" in caplog.text
    assert SECRET not in caplog.text


def test_a_receiver_without_a_secret(tmp_path: Path) -> None:
    """Nothing could be proved: it does not begin."""
    with pytest.raises(SettingsError, match="deliveries cannot be proved without a secret; set webhook_secret"):
        Receiver(Spool(tmp_path), HOOKS, "")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The second receiver says what to do."""
    with Receiver(Spool(tmp_path), HOOKS, SECRET) as listening, pytest.raises(SettingsError) as caught:
        Receiver(Spool(tmp_path), HOOKS, SECRET, port=int(listening.url.rpartition(":")[2]))

    assert str(caught.value).startswith("the receiver cannot listen: Address already in use (host=127.0.0.1, port=")
    assert str(caught.value).endswith("choose another port")


def test_a_spool_that_is_no_folder(tmp_path: Path) -> None:
    """It is said where it is, before anything is received."""
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"the spool cannot be made: File exists \(path=.*/file\)"):
        Receiver(Spool(tmp_path / "file"), HOOKS, SECRET)
