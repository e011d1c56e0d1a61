"""What an object store answers when it fails, in our words: who can act, and what to do.

Takes what delta-rs raised; gives one line, or an error of ours. Pure. Shows no query of an address: it may be signed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from singerkit.errors import CredentialsError, SettingsError, SingerkitError, StoreError


class _Fault(NamedTuple):
    signs: str
    kind: type[SingerkitError]
    what: str
    remedy: str


_FAULTS = (
    _Fault(
        r"ExpiredToken|TokenRefreshRequired|token.{0,20}expired|not valid in the specified time frame",
        CredentialsError, "the credentials of the store have expired",
        "renew them: a run reads storage_options_file again when it changes, and asks a profile or an identity again",
    ),
    _Fault(
        r"Unknown scheme|Account must be specified|Failed to parse config|builder error|relative URL without a base|"
        r"empty path segment|Unable to recognise URL",
        SettingsError, "the store's address and its options do not make a store",
        "correct path and storage_options (allow_http: true for a plain http endpoint)",
    ),
    _Fault(
        r"without LOCATION|PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint",
        SettingsError, "the bucket is in another region than the options say", "correct aws_region in storage_options",
    ),
    _Fault(
        r"NoSuchBucket|ContainerNotFound|(?:bucket|container) does not exist",
        StoreError, "the bucket is not there", "make it, or correct the path",
    ),
    _Fault(
        r"token request|169\.254\.169\.254|credential provider|no providers? in chain|not provide credentials",
        CredentialsError, "no credentials for the store were found",
        "set them in storage_options, in a storage_options_file or in the environment",
    ),
    _Fault(
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|InvalidSecurity|AuthenticationFailed|401 Unauthorized|"
        r"NoAuthenticationInformation|InvalidAuthenticationInfo",
        CredentialsError, "the store does not know the credentials", "correct them in storage_options",
    ),
    _Fault(
        r"AccessDenied|AuthorizationFailure|AuthorizationPermissionMismatch|403 Forbidden|necessary privileges",
        CredentialsError, "the store does not let these credentials do this",
        "let them list, read, write and delete below the path",
    ),
    _Fault(
        r"dns error|lookup address", StoreError, "the store's host is not known", "correct the endpoint, or the region",
    ),
    _Fault(
        r"error sending request|tcp connect|connection (?:closed|reset)|timed out|after \d+ retries|5\d\d [A-Z]",
        StoreError, "the store cannot be reached, or does not answer as it should",
        "see whether it works; for more patience set max_retries, retry_timeout and timeout in storage_options",
    ),
)  # fmt: skip
_DENIED = re.compile(
    r"ExpiredToken|TokenRefreshRequired|InvalidToken|InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed|"
    r"400 Bad Request|401 Unauthorized|403 Forbidden|necessary privileges"
)
"""S3 answers an expired token with 400, and gives no reason where only a head was asked for."""
_QUERY = re.compile(r"(?<=\w)\?\S+")
_COLOUR = re.compile(r"\x1b\[\d*m")
_CAUSE = "↳"
_LONGEST = 300


def said_by(error: BaseException) -> str:
    """Return what an error of delta-rs says in one line: the chain of its causes, without the backtrace below it."""
    text = _COLOUR.sub("", str(error)).strip()
    lines = text.split("\n") if _CAUSE in text else [text.split("\n", 1)[0]]
    line = ": ".join(part for part in (one.strip(f" {_CAUSE}") for one in lines) if part)
    line = _QUERY.sub("", line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"


def is_denied(error: BaseException) -> bool:
    """Return whether a store may have refused the credentials: then newer ones, where there are some, may do."""
    return _DENIED.search(str(error)) is not None


def fault(error: BaseException, *, stream: str | None, path: str) -> SingerkitError | None:
    """Return the error of ours that an object store's means, or None where it is nothing that a store says."""
    text = _COLOUR.sub("", str(error))
    found = next((one for one in _FAULTS if re.search(one.signs, text)), None)
    return found and found.kind(found.what, remedy=found.remedy, stream=stream, path=path, why=said_by(error))
