"""Whatever comes to the receiver: it stays up, keeps what is proved and nothing else, and gives nobody all its time."""

from __future__ import annotations

import json
import resource
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.webhooks import server
from singerkit.webhooks.drain import Drain
from singerkit.webhooks.receiver import Receiver
from singerkit.webhooks.spool import Spool
from tests.singerkit.webhooks.test_webhooks import HOOKS, NOW, SECRET, SIGNED, Sender, item

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver with an empty spool."""
    with Receiver(Spool(tmp_path / "spool"), HOOKS, SECRET) as receiver:
        yield receiver


def spoken(to: Receiver, said: bytes) -> bytes:
    """Return what is answered to these bytes, until the connection is closed or nothing more comes."""
    host, _, port = to.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def post(length: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a delivery as it goes over the wire, with a length that may be wrong."""
    lines = [f"{name}: {value}" for name, value in {"Host": "h", "Content-Length": length, **headers}.items()]
    return "\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode("latin-1") + body


SIGNATURE = {"X-Event": "item", "X-Signature": SIGNED.made(SECRET, b"{}")}


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (post("9" * 5000, b"{}"), b"413"),
        (post("26214401"), b"413"),
        (post("-1", b"{}"), b"411"),
        (post("2.0", b"{}"), b"411"),
        (post("", b"{}"), b"411"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"411"),
        (post("10", b"{}", **SIGNATURE), b"400"),
        (post("2", b"{}"), b"401"),
        (post("2", b"{}", **SIGNATURE | {"X-Signature": "sha256=" + "0" * 60_000}), b"401"),
        (post("2", b"{}", **{f"X-{n}": "v" for n in range(200)}), b"431"),
        (post("2", b"{}", **{"X-Long": "v" * 70_000}), b"431"),
        (b"GET / HTTP/1.1\r\n\r\n", b"501"),
        (b"POST " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),
        (b"", b""),
    ],
    ids=lambda value: value[:14].decode("latin-1") if isinstance(value, bytes) and len(value) == 3 else None,
)
def test_what_is_no_delivery(said: bytes, answer: bytes, listening: Receiver) -> None:
    """It has its own answer, leaves no file, and the next delivery is taken."""
    got = spoken(listening, said)

    assert got[9:12] == answer or (not answer and b" 202 " not in got)
    assert Sender(listening).send(json.dumps(item(1)).encode()) == 202
    assert len(listening.spool.places()) == 1


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from(["x-signature", "x-event", "x-time"]), st.text()))
def test_nothing_unsigned_is_taken(body: bytes, headers: dict[str, str]) -> None:
    """Any bytes under any headers are refused, unless the signature is that of these bytes."""
    taken = Receiver.took(_Nobody(), headers, body, NOW)  # type: ignore[arg-type]  # what it has of a receiver

    assert taken[0] == 401
    assert SIGNED.flaw(SECRET, {"x-signature": SIGNED.made(SECRET, body)}, body, NOW) is None


class _Nobody:
    hooks, secret = HOOKS, SECRET


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=%7B%7D",
        b"[" * 100_000,
        b'{"item": NaN}',
        b'{"item": "\\ud800"}',
        b'{"item": "\xff"}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
    ],
    ids=["empty", "form", "deep", "nan", "surrogate", "not-utf-8", "mark", "two"],
)
def test_a_signed_body_that_is_no_json(body: bytes, listening: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused, and the word says what to set: nothing that a later run could stumble over is kept."""
    assert Sender(listening).send(body) == 400
    assert listening.spool.places() == []
    assert "the hook's content type is to be application/json" in caplog.text


@pytest.mark.parametrize("sent", [b"POST / HT", post("100", b"{"), post("100", b"{}").partition(b"\r\n\r\n")[0]])
def test_a_delivery_that_trickles(sent: bytes, listening: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that never ends is cut off after its time, however often it sends a byte."""
    monkeypatch.setattr(server, "SLOWEST_S", 0.2)
    host, _, port = listening.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(sent)
        connection.settimeout(0.05)
        cut = any(trickled(connection) for _ in range(100))

    assert cut
    assert Sender(listening).send(json.dumps(item(1)).encode()) == 202


def trickled(connection: socket.socket) -> bool:
    """Send a byte, and return whether the other side has gone."""
    try:
        connection.sendall(b"x")
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.slow  # hundreds of connections
def test_many_at_once(listening: Receiver) -> None:
    """More senders than places, half of them with the same delivery: each different one is kept once, in order."""
    bodies = [json.dumps(item(number // 2)).encode() for number in range(200)]
    sender = Sender(listening)

    with ThreadPoolExecutor(60) as crew:
        answers = [*crew.map(sender.send, bodies)]

    kept = [delivery.body["item"]["id"] for delivery in listening.spool.read(listening.spool.places())]
    assert sorted(kept) == [*range(100)]
    assert (answers.count(202), answers.count(200)) == (100, 100)


def test_a_delivery_twice_while_the_disk_is_full(tmp_path: Path) -> None:
    """The second is not called known before the first is kept: neither is answered as if it were on the disk."""
    spool = Spool(tmp_path / "spool")
    receiver = Receiver(spool, HOOKS, SECRET)
    body = json.dumps(item(1)).encode()
    headers = {"x-event": "item", "x-signature": SIGNED.made(SECRET, body)}
    spool.folder.rename(tmp_path / "away")
    answers: list[int] = []

    senders = [threading.Thread(target=lambda: answers.append(receiver.took(headers, body, NOW)[0])) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    receiver.server.server_close()

    assert answers == [503] * 8


def test_a_delivery_that_the_disk_has_no_room_for(tmp_path: Path) -> None:
    """The half of it that was written does not stay: each time it is sent again there would be less room."""
    spool = Spool(tmp_path / "spool").open()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.put("item", "now", {"text": "x" * 100_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert sorted(path.name for path in spool.folder.iterdir()) == ["last", "lock"]


def test_what_a_killed_receiver_leaves(tmp_path: Path) -> None:
    """A delivery that was being written has been answered to nobody: the half of it is taken away."""
    spool = Spool(tmp_path / "spool").open()
    spool.put("item", "now", item(1))
    (spool.folder / "00000000000000000009-item.part").write_text("{")

    Spool(tmp_path / "spool").open()

    assert [*spool.folder.glob("*.part")] == []
    assert len(spool.places()) == 1


def test_a_record_without_its_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is nobody's row: it is passed over with a word, and the others of its spool are read."""
    spool = Spool(tmp_path).open()
    bodies: list[Any] = [{"item": {"at": "1"}}, {"item": {"id": None}}, item(3), [], 7, None, {"item": []}]
    for body in bodies:
        spool.put("item", datetime.now(UTC).isoformat(), body)

    ((rows, through),) = Drain(spool, HOOKS).rows("items", ["id"], ["at"], "")

    assert [row["id"] for row in rows] == [3]
    assert through == spool.places()[-1]
    assert caplog.text.count("passed over a delivery without its key stream=items key=id") == 2
