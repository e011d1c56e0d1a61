"""Settings from the environment: `TAP_X_PORT` is `port`, `TAP_X_SSH_TUNNEL_HOST` is `ssh_tunnel.host`.

Takes variables and the schema of a configuration; gives a configuration of texts. What a text stands for is decided
where settings are read, not here. Pure.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singerkit.settings.schema import branches

if TYPE_CHECKING:
    from collections.abc import Mapping


def variable(plugin: str, setting: str) -> str:
    """Return the name of the variable of a setting: TAP_X_SSH_TUNNEL_HOST for `ssh_tunnel.host` of tap-x."""
    return f"{plugin}_{setting}".upper().replace("-", "_").replace(".", "_")


def from_environment(plugin: str, schema: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what the environment says of a plugin's settings, as texts; a part of an object is set by its own name."""
    return _object(plugin, schema.get("properties", {}), environment)


def _object(prefix: str, properties: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, prop in properties.items():
        said: Any = environment.get(variable(prefix, name))
        inner = {key: one for branch in branches(prop) for key, one in branch.get("properties", {}).items()}
        if inner and (parts := _object(variable(prefix, name), inner, environment)):
            whole = _whole(said)
            said = said if whole is None else {**whole, **parts}
        if said is not None:
            found[name] = said
    return found


def _whole(said: str | None) -> dict[str, Any] | None:
    """Return an object that is written as JSON, beside which its parts may be written, or None where it is none."""
    try:
        whole = json.loads((said or "").strip() or "{}")
    except ValueError:
        return None
    return whole if isinstance(whole, dict) else None
