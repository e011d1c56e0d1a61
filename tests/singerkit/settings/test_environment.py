"""Settings from the environment: one rule of names, also for what stands inside of groups."""

from typing import Any

import pytest

from singerkit.settings.environment import from_environment, variable
from singerkit.settings.read import read
from singerkit.settings.schema import settings_schema
from tests.singerkit.settings.example import GOOD, History, Settings, Token

SCHEMA = settings_schema(Settings)


def test_a_variable_is_named_after_plugin_and_setting() -> None:
    """Meltano's own rule, so that a .env serves both."""
    assert variable("tap-acme", "ssh_tunnel.host") == "TAP_ACME_SSH_TUNNEL_HOST"


CASES: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {}),
    ({"TAP_ACME_PORT": "7", "TAP_ACME_PROT": "8", "PORT": "9"}, {"port": "7"}),
    ({"TAP_ACME_PORT": ""}, {"port": ""}),
    ({"TAP_ACME_EXTRA_FILE": "f"}, {"extra_file": "f"}),
    ({"TAP_ACME_HISTORY_DAYS": "3"}, {"history": {"days": "3"}}),
    ({"TAP_ACME_HISTORY": '{"enabled": true}'}, {"history": '{"enabled": true}'}),
    (
        {"TAP_ACME_HISTORY": '{"enabled": true, "days": 1}', "TAP_ACME_HISTORY_DAYS": "3"},
        {"history": {"enabled": True, "days": "3"}},
    ),
    ({"TAP_ACME_HISTORY": "", "TAP_ACME_HISTORY_DAYS": "3"}, {"history": {"days": "3"}}),
    ({"TAP_ACME_HISTORY": "[1]", "TAP_ACME_HISTORY_DAYS": "3"}, {"history": "[1]"}),
    ({"TAP_ACME_HISTORY": '{"enabled', "TAP_ACME_HISTORY_DAYS": "3"}, {"history": '{"enabled'}),
    (
        {"TAP_ACME_AUTH_METHOD": "token", "TAP_ACME_AUTH_TOKEN": "canary"},
        {"auth": {"method": "token", "token": "canary"}},
    ),
]


@pytest.mark.parametrize(("environment", "config"), CASES)
def test_variables_become_a_configuration(environment: dict[str, str], config: dict[str, Any]) -> None:
    """What is set is there as the text that it is; a part of an object goes before the object as JSON.

    What should be such an object and is none stays as it is, to be refused where all settings are read.
    """
    assert from_environment("tap-acme", SCHEMA, environment) == config


def test_texts_are_read_where_all_settings_are() -> None:
    """An environment and a file that say the same give the same value."""
    environment = {
        "TAP_ACME_AUTH": '{"method": "token", "token": "canary-token"}',
        "TAP_ACME_URL": GOOD["url"],
        "TAP_ACME_PORT": "7",
        "TAP_ACME_STREAMS": '["a", "b"]',
        "TAP_ACME_HISTORY_ENABLED": "true",
        "TAP_ACME_RECENT_ENABLED": "0",
    }

    reading = read(Settings, from_environment("tap-acme", SCHEMA, environment))

    assert reading.errors == ()
    assert reading.value == Settings(
        auth=Token(token="canary-token"), url=GOOD["url"], port=7, streams=("a", "b"), history=History(), recent=None
    )
