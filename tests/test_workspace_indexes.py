"""What pip has been told about indexes reaches uv."""

from __future__ import annotations

import pytest

from tools.indexes import parse_configuration, uv_environment

CASES = {
    "nothing": ({}, {}),
    "index": ({"PIP_INDEX_URL": "https://a/b"}, {"UV_DEFAULT_INDEX": "https://a/b"}),
    "extra indexes": (
        {"PIP_EXTRA_INDEX_URL": "https://a\n https://b"},
        {"UV_INDEX": "https://a https://b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
    ),
    "certificate": ({"PIP_CERT": "/c.pem"}, {"SSL_CERT_FILE": "/c.pem"}),
    "certificate for requests": ({"REQUESTS_CA_BUNDLE": "/r.pem"}, {"SSL_CERT_FILE": "/r.pem"}),
    "certificate for curl": ({"CURL_CA_BUNDLE": "/r.pem"}, {"SSL_CERT_FILE": "/r.pem"}),
    "pip's certificate is stronger": (
        {"PIP_CERT": "/c.pem", "REQUESTS_CA_BUNDLE": "/r.pem"},
        {"SSL_CERT_FILE": "/c.pem"},
    ),
    "client certificate": ({"PIP_CLIENT_CERT": "/k.pem"}, {"SSL_CLIENT_CERT": "/k.pem"}),
    "proxy": ({"PIP_PROXY": "http://p:1"}, {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1"}),
    "links": ({"PIP_FIND_LINKS": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
    "trusted hosts": ({"PIP_TRUSTED_HOST": "a b:8"}, {"UV_INSECURE_HOST": "a b:8"}),
    "time-out": ({"PIP_DEFAULT_TIMEOUT": "180"}, {"UV_HTTP_TIMEOUT": "180"}),
    "retries": ({"PIP_RETRIES": "9"}, {"UV_HTTP_RETRIES": "9"}),
    "no index": ({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/w"}, {"UV_OFFLINE": "1", "UV_FIND_LINKS": "/w"}),
    "an index after all": ({"PIP_NO_INDEX": "0"}, {}),
    "an empty variable says nothing": ({"PIP_INDEX_URL": "", "PIP_CERT": ""}, {}),
    "uv's own word is stronger": ({"PIP_INDEX_URL": "https://a", "UV_DEFAULT_INDEX": "https://mine"}, {}),
    "what uv has no word for": ({"PIP_VERBOSE": "3", "PATH": "/bin"}, {}),
}


@pytest.mark.parametrize(("environ", "words"), CASES.values(), ids=CASES)
def test_variables_are_translated(environ: dict[str, str], words: dict[str, str]) -> None:
    """Each variable of pip that names an index, a certificate or a proxy has its word for uv."""
    assert uv_environment(environ) == words


def test_variables_beat_configuration_files() -> None:
    """As in pip, a file speaks only where the environment is silent."""
    configured = {"index-url": "https://file", "cert": "/file.pem"}

    words = uv_environment({"PIP_INDEX_URL": "https://variable"}, configured)

    assert words == {"UV_DEFAULT_INDEX": "https://variable", "SSL_CERT_FILE": "/file.pem"}


def test_configuration_of_install_beats_the_global_one() -> None:
    """`pip config list` is read as pip reads its files; the environment's lines are not files."""
    lines = [
        "install.timeout='5'",
        "global.timeout='60'",
        "global.index-url='https://a'",
        "global.extra-index-url='\\nhttps://b\\nhttps://c'",
        ":env:.cert='/c.pem'",
        "freeze.timeout='1'",
    ]

    assert parse_configuration(lines) == {
        "timeout": "5",
        "index-url": "https://a",
        "extra-index-url": "\nhttps://b\nhttps://c",
    }
