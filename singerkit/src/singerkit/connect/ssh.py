"""The one room that knows asyncssh: log in at a bastion whose host key is known, open channels, carry bytes.

Takes a tunnel's settings and a socket; gives a connection whose channels feed local transports. Refuses unknown hosts.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol, cast

import asyncssh

from singerkit.errors import CredentialsError, SettingsError, SingerkitError, UnavailableError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from singerkit.connect.bastion import SSHTunnel

Connection = asyncssh.SSHClientConnection

LOGIN_TIMEOUT_S = 20
KEEP_ALIVE_MISSES = 3
_CIPHERS = (  # AES-GCM first: with the processor's help it carries twice what asyncssh's own first choice does
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
_PLAIN_KEYS = (  # what a fingerprint can be of: a bastion that has a certificate too would show that first
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_KEY_KINDS = ("ssh-rsa", "ssh-ed25519", "ecdsa-sha2-")


class Session(Protocol):
    """What a channel tells: the part of asyncssh's session that an asyncio protocol has too."""

    def connection_made(self, transport: Any) -> None:
        """Be given what can be written to."""

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Be given bytes."""


async def log_in(
    tunnel: SSHTunnel, connect: Callable[[], socket.socket], on_lost: Callable[[SingerkitError], None]
) -> Connection:
    """Return a connection to the bastion, once host key and login are good; our own files are read first.

    `on_lost` is told why, should the connection break after that.
    """
    asyncssh.set_log_level(logging.WARNING)  # its own news at INFO would drown the tap's
    trust = Trust(tunnel)
    options = _options(tunnel, trust, on_lost)
    connected = await asyncio.to_thread(connect)
    try:
        return await asyncssh.connect(tunnel.host, tunnel.port, sock=connected, **options)
    except asyncssh.HostKeyNotVerifiable as error:
        raise trust.refusal() from error
    except asyncssh.PermissionDenied as error:
        raise CredentialsError(
            "the bastion refuses the login",
            host=tunnel.host,
            user=tunnel.username,
            remedy="check ssh_tunnel.username and its password or key, and that the bastion knows the key",
        ) from error
    except (OSError, asyncssh.Error) as error:
        raise _unavailable(tunnel, error) from error


class Trust:
    """Which host keys of a bastion are good, and what it showed instead."""

    def __init__(self, tunnel: SSHTunnel) -> None:
        self._tunnel = tunnel
        self.keys = _trusted_keys(tunnel)
        self.fingerprints = set((tunnel.host_fingerprint or "").split())
        self._shown = "none"

    def accepts(self, key: asyncssh.SSHKey) -> bool:
        """Return whether a key that is not among the trusted ones has a trusted fingerprint, and note it."""
        fingerprint = key.get_fingerprint()
        self._shown = f"{key.get_algorithm()} {fingerprint}"
        return fingerprint in self.fingerprints

    def refusal(self) -> SingerkitError:
        """Return what to say of a host key that was not accepted."""
        return CredentialsError(
            "the bastion shows a host key that the settings do not trust: it was changed, or someone is in between",
            host=self._tunnel.host,
            shown=self._shown,
            remedy="ask the bastion's keeper for its key; only then change the host key under ssh_tunnel",
        )


def _options(tunnel: SSHTunnel, trust: Trust, on_lost: Callable[[SingerkitError], None]) -> dict[str, Any]:
    key = _private_key(tunnel)
    return {
        "config": None,  # ~/.ssh/config, the agent and the keys of whoever runs this are not part of the settings
        "agent_path": None,
        "client_keys": [key] if key else None,
        "client_factory": lambda: _Client(tunnel, trust, on_lost),
        "known_hosts": trust.keys,
        **({"server_host_key_algs": _PLAIN_KEYS} if trust.fingerprints else {}),
        "username": tunnel.username,
        "password": tunnel.password,
        "preferred_auth": "publickey" if key else "password,keyboard-interactive",
        "login_timeout": LOGIN_TIMEOUT_S,
        "keepalive_interval": tunnel.keep_alive_s,
        "keepalive_count_max": KEEP_ALIVE_MISSES,
        "encryption_algs": _CIPHERS,
        "compression_algs": ["none"],
    }


class _Client(asyncssh.SSHClient):
    def __init__(self, tunnel: SSHTunnel, trust: Trust, on_lost: Callable[[SingerkitError], None]) -> None:
        self._tunnel, self._trust, self._on_lost = tunnel, trust, on_lost
        self._is_in = False

    def auth_completed(self) -> None:
        self._is_in = True

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._is_in:
            self._on_lost(
                UnavailableError(
                    "the connection to the bastion was lost",
                    host=self._tunnel.host,
                    port=self._tunnel.port,
                    reason=_reason(exc),
                    remedy="run again; the next connection finds the bastion by itself",
                )
            )

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002  # asyncssh's signature
        return self._trust.accepts(key)


def _trusted_keys(tunnel: SSHTunnel) -> tuple[Any, ...]:
    """Return host keys, authorities and revoked keys, as asyncssh has them; never empty, which means ~/.ssh."""
    if tunnel.host_fingerprint:
        return ([], [], [])
    if tunnel.host_key:
        return ([_public_key(tunnel.host_key)], [], [])
    text = tunnel.known_hosts or ""
    try:
        found: tuple[Any, ...] = asyncssh.import_known_hosts(text).match(tunnel.host, "", tunnel.port)
    except ValueError as error:
        raise SettingsError(
            "ssh_tunnel.known_hosts cannot be read", remedy="give lines of a known_hosts file"
        ) from error
    if not any(found):
        raise SettingsError(
            "ssh_tunnel.known_hosts has no key of the bastion",
            host=tunnel.host,
            port=tunnel.port,
            remedy="add the line that the bastion's keeper gives you",
        )
    return found


def _public_key(line: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(line)
    except asyncssh.KeyImportError as error:
        raise SettingsError(
            "ssh_tunnel.host_key is no public key", remedy="write it as `ssh-ed25519 AAAA...`"
        ) from error


def _private_key(tunnel: SSHTunnel) -> asyncssh.SSHKey | None:
    if tunnel.password is not None:
        return None
    text = tunnel.private_key or ""
    try:
        key = asyncssh.import_private_key(text, tunnel.passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        locked = "ENCRYPTED" in text or "passphrase" in str(error).lower()
        wrong = locked or isinstance(error, asyncssh.KeyEncryptionError)
        raise SettingsError(
            "the private key cannot be opened with this passphrase" if wrong else "the private key cannot be read",
            remedy="check ssh_tunnel.passphrase" if wrong else "give the whole text of an RSA, Ed25519 or ECDSA key",
        ) from error
    if not key.get_algorithm().startswith(_KEY_KINDS):
        raise SettingsError(
            "the private key is of a kind that is not used", kind=key.get_algorithm(), remedy="use Ed25519"
        )
    return key


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__)


def _unavailable(tunnel: SSHTunnel, error: Exception) -> UnavailableError:
    return UnavailableError(
        "the bastion does not answer as an SSH server",
        host=tunnel.host,
        port=tunnel.port,
        reason=_reason(error),
        remedy="check host and port, and that the bastion is up",
    )


async def open_channel(connection: Connection, session: Session, host: str, port: int) -> None:
    """Have the bastion connect to host and port, and bind the session to that; raise what the bastion says instead."""
    try:
        await connection.create_connection(lambda: cast("asyncssh.SSHTCPSession[bytes]", session), host, port)
    except asyncssh.ChannelOpenError as error:
        raise _refused_forward(error, host, port) from error


def _refused_forward(error: asyncssh.ChannelOpenError, host: str, port: int) -> SingerkitError:
    if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return CredentialsError(
            "the bastion does not let this user through",
            host=host,
            port=port,
            remedy="allow it there: AllowTcpForwarding and PermitOpen in sshd_config, or the options of the key",
        )
    return UnavailableError(
        "the bastion cannot reach the host behind it",
        host=host,
        port=port,
        reason=error.reason,
        remedy="check the name as the bastion knows it, and its firewall",
    )
