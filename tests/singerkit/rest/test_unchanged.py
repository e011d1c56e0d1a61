"""Conditional requests: what the server calls unchanged is read from the folder, page by page; nothing else is."""

from __future__ import annotations

import itertools
import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from singerkit.errors import SettingsError
from singerkit.rest.auth import Bearer
from singerkit.rest.client import Client
from singerkit.rest.endpoint import Source
from singerkit.rest.message import Request
from singerkit.rest.unchanged import Unchanged
from singerkit.testing.fake_api import Asked, FakeApi, Reply

if TYPE_CHECKING:
    from pathlib import Path


class Tagged:
    """A list with an ETag, which a next page follows; it may change."""

    def __init__(self, body: Any) -> None:
        self.body, self.bodies_sent = body, 0

    def __call__(self, asked: Asked) -> Reply:
        """Answer 304 to who knows what there is."""
        tag = f'"{hash(str(self.body))}"'
        if asked.headers.get("if-none-match") == tag:
            return Reply(b"", 304, {"ETag": tag, "X-RateLimit-Remaining": "7"})
        self.bodies_sent += 1
        return Reply(self.body, headers={"ETag": tag, "Link": '<http://x/2>; rel="next"'})


@pytest.fixture
def served(api: FakeApi) -> Tagged:
    """The list behind /items."""
    served = Tagged([{"id": 1, "price": 1.10}])
    api.route("/items", served)
    return served


def client(api: FakeApi, folder: Path, token: str = "t") -> Client:
    return Client(Source(base_url=api.url, auth=Bearer(token=token)), unchanged=Unchanged(folder))


def test_an_unchanged_answer_comes_from_the_folder(api: FakeApi, served: Tagged, tmp_path: Path) -> None:
    """Body and Link header are those of before, to the digit; the quota is that of now."""
    request = Request("GET", f"{api.url}/items", params={"page": 1})
    _, before = client(api, tmp_path).send(request)

    again = client(api, tmp_path, token="another")  # a renewed token sees the same
    _, after = again.send(request)

    assert (after.status, after.body, after.headers["link"]) == (200, before.body, before.headers["link"])
    assert str(after.body[0]["price"]) == "1.1"
    assert after.headers["x-ratelimit-remaining"] == "7"
    assert served.bodies_sent == 1


@pytest.mark.parametrize(
    ("path", "params", "headers"),
    [("/items", {"page": 2}, {}), ("/items", {"page": 1}, {"Accept": "application/x"}), ("/other", {"page": 1}, {})],
    ids=["page", "media type", "path"],
)
def test_another_request_is_another_answer(
    path: str, params: dict[str, Any], headers: dict[str, str], api: FakeApi, served: Tagged, tmp_path: Path
) -> None:
    """What tells answers apart tells what is kept apart."""
    api.route("/other", served)
    client(api, tmp_path).send(Request("GET", f"{api.url}/items", params={"page": 1}))

    client(api, tmp_path).send(Request("GET", f"{api.url}{path}", params=params, headers=headers))

    assert "if-none-match" not in api.asked[-1].headers


def test_a_changed_answer_replaces_what_was_kept(api: FakeApi, served: Tagged, tmp_path: Path) -> None:
    """The server decides: a new body is used, and kept for the next time."""
    request = Request("GET", f"{api.url}/items")
    client(api, tmp_path).send(request)
    served.body = [{"id": 2}]

    bodies = [client(api, tmp_path).send(request)[1].body for _ in range(2)]

    assert bodies == [[{"id": 2}], [{"id": 2}]]
    assert served.bodies_sent == 2


def test_a_file_that_is_cut_is_not_there(api: FakeApi, served: Tagged, tmp_path: Path) -> None:
    """What cannot be read costs one request; files are their owner's alone."""
    request = Request("GET", f"{api.url}/items")
    client(api, tmp_path).send(request)
    (file,) = tmp_path.iterdir()
    mode = stat.S_IMODE(file.stat().st_mode)
    file.write_bytes(file.read_bytes()[:10])

    _, answer = client(api, tmp_path).send(request)

    assert answer.body == [{"id": 1, "price": answer.body[0]["price"]}]
    assert served.bodies_sent == 2
    assert mode == 0o600


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """It is said before anything is asked."""
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError) as caught:
        Unchanged(tmp_path / "file")

    assert str(caught.value) == (
        f"the cache folder cannot be used: File exists (path={tmp_path / 'file'}); "
        "name a folder that this process may write to, or none"
    )


def test_the_folder_stays_small(tmp_path: Path) -> None:
    """What has not been kept anew for longest is forgotten first."""
    kept = Unchanged(tmp_path)
    requests = [Request("GET", f"http://t/{number}") for number in range(4)]
    for number, request in enumerate(requests):
        kept.keep(request, {"etag": '"e"'}, bytes(range(256)))
        newest = max(tmp_path.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    size = sum(file.stat().st_size for file in tmp_path.iterdir())

    smaller = Unchanged(tmp_path, most_bytes=size // 2)

    assert [smaller.find(request) is not None for request in requests] == [False, False, True, True]


def test_an_answer_that_cannot_be_kept_is_read_all_the_same(
    api: FakeApi, served: Tagged, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that is gone, or full, costs the saving and not the run; the log says so."""
    folder = tmp_path / "kept"
    asking = client(api, folder)
    folder.rmdir()

    _, answer = asking.send(Request("GET", f"{api.url}/items"))

    assert [one["id"] for one in answer.body] == [1]
    assert f"an answer could not be kept folder={folder} why=No such file or directory" in caplog.text


def test_a_full_last_page_that_a_later_one_follows(api: FakeApi, tmp_path: Path) -> None:
    """A record too many changes nothing of the page but its Link header, which a 304 leaves out: it is asked anew."""
    listed, follows = [{"id": 1}, {"id": 2}], [False]

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == '"2"':
            return Reply(b"", 304)
        links = {"Link": f'<{api.url}/items?per_page=2&page=2>; rel="next"'} if follows[0] else {}
        return Reply(listed, headers={"ETag": '"2"', **links})

    api.route("/items", answer)
    request = Request("GET", f"{api.url}/items", params={"per_page": 2})
    client(api, tmp_path).send(request)
    follows[0] = True

    _, after = client(api, tmp_path).send(request)
    _, again = client(api, tmp_path).send(request)

    assert "page=2" in after.headers["link"]
    assert again.headers["link"] == after.headers["link"]
    assert [asked.headers.get("if-none-match") for asked in api.asked] == [None, None, '"2"']


def test_a_folder_that_other_runs_write_to(tmp_path: Path) -> None:
    """A run that begins while another keeps its answers is not told that the folder is of no use."""
    mine, stop = Unchanged(tmp_path), threading.Event()

    def other() -> None:
        numbers = itertools.count()
        while not stop.is_set():
            mine.keep(Request("GET", f"http://x/{next(numbers) % 50}"), {"etag": "e"}, b"x")

    writing = threading.Thread(target=other)
    writing.start()
    try:
        for _ in range(30):
            Unchanged(tmp_path)
    finally:
        stop.set()
        writing.join()
