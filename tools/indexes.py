"""Where packages come from: what pip has been told about indexes, certificates and proxies, in uv's words.

Takes the environment and pip's configuration; gives variables for uv. Refuses nothing; uv's own variables win.
"""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORDS: Mapping[str, tuple[str, str]] = {
    # pip's option: (uv's variable, what separates several values there)
    "index-url": ("UV_DEFAULT_INDEX", ""),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", ""),
    "client-cert": ("SSL_CLIENT_CERT", ""),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
    "default-timeout": ("UV_HTTP_TIMEOUT", ""),
    "retries": ("UV_HTTP_RETRIES", ""),
    "keyring-provider": ("UV_KEYRING_PROVIDER", ""),
}
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # pip reads them too, by way of requests
SECTIONS = ("global", "install")  # of a pip.conf, the stronger one last
YES = frozenset({"1", "true", "yes", "on"})


def uv_environment(environ: Mapping[str, str], configured: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that give uv what pip was given; `configured` are the options of pip's files.

    As in pip, the environment beats the files. What uv's own variables say already is left as it is.
    """
    told = {**(configured or {}), **_pip_variables(environ)}
    words: dict[str, str] = {}
    for option, (variable, separator) in WORDS.items():
        if value := told.get(option, "").strip():
            words[variable] = separator.join(value.split()) if separator else value
    if proxy := told.get("proxy"):
        words |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    if "extra-index-url" in told:
        # pip takes the best version of all indexes; uv would stop at the first one that knows the name
        words["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if told.get("no-index", "").lower() in YES:
        words["UV_OFFLINE"] = "1"  # the nearest that uv has for a variable: what is local, and nothing else
    bundle = next((environ[name] for name in CERTIFICATES if environ.get(name)), None)
    if bundle and "SSL_CERT_FILE" not in words:
        words["SSL_CERT_FILE"] = bundle
    return {name: value for name, value in words.items() if not environ.get(name)}


def install_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a whole environment for a command that runs uv: of this process, with pip's words translated."""
    given = dict(os.environ if environ is None else environ)
    return {**given, **uv_environment(given, pip_configuration()), "UV_COMPILE_BYTECODE": "1"}


@functools.cache
def pip_configuration() -> dict[str, str]:
    """Return the options that pip's configuration files hold, or none where this Python has no pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse_configuration(listed.stdout.splitlines()) if listed.returncode == 0 else {}


def parse_configuration(lines: Sequence[str]) -> dict[str, str]:
    """Return the options of `pip config list` (`global.index-url='...'`), those of `install` over the global ones."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in lines:
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {option: value for section in SECTIONS for option, value in found[section].items()}


def _pip_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's options that variables set: PIP_INDEX_URL is `index-url`; an empty one says nothing."""
    pip = {name: value for name, value in environ.items() if name.startswith("PIP_") and value}
    return {name.removeprefix("PIP_").lower().replace("_", "-"): value for name, value in pip.items()}
