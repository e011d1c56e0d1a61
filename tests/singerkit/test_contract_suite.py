"""The contract catches what it says it catches: a tap that breaks one promise fails that one."""

import sys
from dataclasses import replace
from typing import Any

import pytest

from singerkit.errors import SingerkitError
from singerkit.rest.endpoint import Partition
from singerkit.settings.fields import Setting, settings_schema
from singerkit.testing import contract
from tap_example.settings import ENDPOINTS, SETTINGS
from tap_example.tap import TapExample

CUSTOMERS, ORDERS, PRODUCTS = ENDPOINTS


def tap(*rows: Any, settings: Any = SETTINGS) -> Any:
    class TapBad(TapExample):
        config_jsonschema = settings_schema(settings)
        endpoints = rows or ENDPOINTS

    return TapBad


class _Chatty(TapExample):
    def sync_all(self) -> None:  # type: ignore[misc]
        sys.stdout.write(f"hello {self.config['token']}\n")
        super().sync_all()


BAD = {
    "secret": (contract.secrets_are_marked, tap(settings=[*SETTINGS, Setting("api_key", "string", "K", "K.")])),
    "caption": (contract.settings_are_described, tap(settings=[*SETTINGS, Setting("more", "string", "", "")])),
    "key": (contract.rows_keep_their_rules, tap(replace(CUSTOMERS, keys=("nope",)))),
    "child-key": (contract.rows_keep_their_rules, tap(CUSTOMERS, replace(ORDERS, keys=("id",)))),
    "partition": (
        contract.rows_keep_their_rules,
        tap(replace(CUSTOMERS, partition=Partition(keys=("updated_at",)))),
    ),
    "stdout": (contract.stdout_is_singer, _Chatty),
    "canary": (contract.no_secret_leaves, _Chatty),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_promise_is_found(case: str) -> None:
    """Each promise fails for the tap that breaks it."""
    promise, bad = BAD[case]

    with pytest.raises((AssertionError, SingerkitError, ValueError)):
        promise(bad)


def test_the_least_configuration_is_made_of_the_settings() -> None:
    """What a tap requires is given, and every secret is the canary."""
    assert contract.example_config(TapExample) == {"token": contract.CANARY}
