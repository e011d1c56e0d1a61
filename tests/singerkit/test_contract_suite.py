"""The contract catches what it says it catches: a tap that breaks one promise fails that one."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from singerkit.errors import SingerkitError
from singerkit.rest.endpoint import Partition
from singerkit.testing import contract
from tap_example.settings import ENDPOINTS
from tap_example.tap import TapExample

CUSTOMERS, ORDERS, PRODUCTS = ENDPOINTS


def tap(*rows: Any, **settings: Any) -> Any:
    class TapBad(TapExample):
        endpoints = rows or ENDPOINTS

    if settings:
        known = TapExample.config_jsonschema
        TapBad.config_jsonschema = known | {"properties": known["properties"] | settings}
    return TapBad


_PLAIN = {"type": ["string", "null"], "title": "More", "description": "One more."}


class _Chatty(TapExample):
    def sync_all(self) -> None:  # type: ignore[misc]
        sys.stdout.write(f"hello {self.config['token']}\n")
        super().sync_all()


BAD = {
    "secret": (contract.secrets_are_marked, tap(api_key=_PLAIN)),
    "caption": (contract.settings_are_described, tap(more=_PLAIN | {"title": ""})),
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


def test_a_meltano_file_that_differs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is missing in meltano.yml, or not sensitive there, breaks the promise."""
    own = {name: prop for name, prop in TapExample.config_jsonschema["properties"].items() if "stream_map" not in name}
    settings = [{"name": name, "sensitive": bool(prop.get("secret"))} for name, prop in own.items()]
    monkeypatch.chdir(tmp_path)

    for rows, good in ((settings, True), (settings[1:], False), ([{"name": row["name"]} for row in settings], False)):
        block = {"name": "tap-example", "settings": rows}
        (tmp_path / "meltano.yml").write_text(json.dumps({"plugins": {"extractors": [block]}}))
        if good:
            contract.meltano_says_the_same(TapExample)
        else:
            with pytest.raises(AssertionError):
                contract.meltano_says_the_same(TapExample)


def test_a_package_of_others_is_tried_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third-party package that declares the entry point is in the contract suite with no edit here."""
    about = tmp_path / "tap_of_others-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.3\nName: tap-of-others\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[singerkit.taps]\ntap-of-others = tap_of_others:TapOfOthers\n")
    (tmp_path / "tap_of_others.py").write_text(
        "from tap_example.tap import TapExample\nclass TapOfOthers(TapExample):\n    name = 'tap-of-others'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    names = {case.id for case in contract.cases()}

    assert {"tap-of-others-a_cut_run_loses_nothing", "tap-of-others-secrets_are_marked"} <= names


def test_the_least_configuration_is_made_of_the_settings() -> None:
    """What a tap requires is given, and every secret is the canary."""
    assert contract.example_config(TapExample) == {"token": contract.CANARY}
