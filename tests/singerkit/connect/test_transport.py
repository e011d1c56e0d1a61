"""Guarded HTTP on real sockets: what the guard refuses is never connected to, however the request got there."""

import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests

from singerkit.connect.hosts import HostGuard, HostRefusedError
from singerkit.connect.sockets import guard, resolve
from singerkit.connect.transport import guarded_session
from singerkit.errors import UnavailableError

Serve = Callable[..., int]


def text(words: str, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Give a handler that answers with these words."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(words))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(words.encode())

    return answer


@pytest.fixture
def open_session() -> Iterator[Callable[..., requests.Session]]:
    """Give a function that opens a guarded session without proxies; all are closed at the end."""
    opened: list[requests.Session] = []

    def start(host_guard: HostGuard, **options: Any) -> requests.Session:
        session = guarded_session(host_guard, **options)
        session.trust_env = False
        opened.append(session)
        return session

    yield start
    for session in opened:
        session.close()


def answering(**names: list[str]) -> HostGuard:
    """Give a guard that allows private hosts, over a resolver that knows these names."""
    return HostGuard(lambda host, port: names[host.replace(".", "_")], allow_private_hosts=True)


def test_the_name_is_asked_for_and_the_judged_address_is_connected_to(serve: Serve, open_session: Any) -> None:
    """The request carries the name, the socket goes where the guard said; the machine's DNS is not asked again."""
    port = serve(lambda request: text(str(request.headers["Host"]))(request))
    session = open_session(answering(api_example=["127.0.0.1"]))

    assert session.get(f"http://api.example:{port}/").text == f"api.example:{port}"


def test_a_name_that_moves_inside_after_the_first_look_is_refused(serve: Serve, open_session: Any) -> None:
    """DNS rebinding: a second answer is judged like the first, and a forbidden one is never connected to."""
    port = serve(text("hello", Connection="close"))
    answers = [["169.254.169.254"], ["127.0.0.1"]]
    session = open_session(HostGuard(lambda host, port: answers.pop(), allow_private_hosts=True))
    first = session.get(f"http://api.example:{port}/").text

    with pytest.raises(HostRefusedError) as refused:
        session.get(f"http://api.example:{port}/")

    assert first == "hello"
    assert str(refused.value) == (
        "the host has a cloud metadata address (host=api.example, address=169.254.169.254); no source lives there"
    )


def test_the_next_address_is_tried_where_the_first_does_not_answer(serve: Serve, open_session: Any) -> None:
    """All judged addresses of a name are good; the first that answers is used."""
    port = serve(text("hello"))
    session = open_session(answering(api_example=["127.0.0.2", "127.0.0.1"]))

    assert session.get(f"http://api.example:{port}/").text == "hello"


METADATA, NEVER = "the host has a cloud metadata address", "no source lives there"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("http://169.254.169.254/latest", f"{METADATA} (host=169.254.169.254); {NEVER}"),
        ("http://[::ffff:a9fe:a9fe]/", f"{METADATA} (host=::ffff:a9fe:a9fe); {NEVER}"),
        (
            "http://metadata.google.internal/",
            f"the host is a cloud metadata service (host=metadata.google.internal); {NEVER}",
        ),
        ("http://inner.example/", f"{METADATA} (host=inner.example, address=169.254.169.254); {NEVER}"),
        ("http://0251.0376.0251.0376/", "the host is no host name and no IP address; write the name alone"),
        (
            "http://api.example@inner.example/",
            "the address holds a user name or an escape before its path (host=inner.example)",
        ),
    ],
)
def test_a_redirect_leads_nowhere_forbidden(target: str, said: str, serve: Serve, open_session: Any) -> None:
    """Each hop is judged: the answer of an allowed host cannot send the request where a setting could not."""
    port = serve(text("", status=302, Location=target))
    session = open_session(answering(api_example=["127.0.0.1"], inner_example=["169.254.169.254"]))

    with pytest.raises(HostRefusedError) as refused:
        session.get(f"http://api.example:{port}/")

    assert str(refused.value) == said


def test_nothing_is_sent_to_a_loopback_server_unless_allowed(serve: Serve, open_session: Any) -> None:
    """The default of an API tap: a base URL on this machine is refused before a socket is opened."""
    seen: list[str] = []
    port = serve(lambda request: seen.append(request.path))
    session = open_session(guard(allow_private_hosts=False))
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        with pytest.raises(HostRefusedError):
            session.get(f"http://{host}:{port}/")

    assert seen == []


def test_tls_is_checked_against_the_name(serve: Serve, open_session: Any, certificate_for: Any) -> None:
    """The address is pinned and the certificate is still the name's: another name on the same address fails."""
    certificate = certificate_for("api.example")
    port = serve(text("hello"), certificate)
    session = open_session(answering(api_example=["127.0.0.1"], other_example=["127.0.0.1"]))
    session.verify = str(certificate.certificate)

    assert session.get(f"https://api.example:{port}/").text == "hello"
    with pytest.raises(requests.exceptions.SSLError, match=r"doesn't match|not valid for"):
        session.get(f"https://other.example:{port}/")


def test_a_closed_port_is_an_error_of_requests(open_session: Any) -> None:
    """Retry policies of callers see what they know: ConnectionError with the system's reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    session = open_session(guard(allow_private_hosts=True))

    with pytest.raises(
        requests.exceptions.ConnectionError, match=r"127\.0\.0\.1 cannot be reached: Connection refused"
    ):
        session.get(f"http://127.0.0.1:{port}/")


def test_a_silent_host_ends_with_the_timeout(open_session: Any) -> None:
    """A server that accepts and says nothing is given up after the timeout of the request."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        session = open_session(guard(allow_private_hosts=True))

        with pytest.raises(requests.exceptions.Timeout):
            session.get(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=0.1)


@pytest.mark.parametrize("host", ["::1%none", "a" * 64])
def test_a_name_that_does_not_exist_is_unavailable(host: str) -> None:
    """What the resolver says is one line; both names fail before a packet leaves."""
    with pytest.raises(UnavailableError, match=r"the host name has no address \(host=.*; check the name and the DNS"):
        resolve(host, 443)


def test_through_a_proxy_the_host_is_judged_by_its_spelling(serve: Serve, open_session: Any) -> None:
    """The proxy connects, so its DNS counts; but no literal address or metadata name is handed to it."""
    asked: list[str] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        text("by proxy")(request)

    proxies = {"http": f"http://127.0.0.1:{serve(note)}"}
    session = open_session(guard(allow_private_hosts=False))

    assert session.get("http://api.invalid/x", proxies=proxies).text == "by proxy"
    with pytest.raises(HostRefusedError):
        session.get("http://10.0.0.1/", proxies=proxies)
    with pytest.raises(HostRefusedError):
        session.get("http://metadata.google.internal/", proxies=proxies)
    assert asked == ["http://api.invalid/x"]
