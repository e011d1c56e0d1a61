"""The executable: start, stop, exit codes, and singer-sdk's own suite."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from singerkit.testing.contract import example_config, world
from singerkit.testing.fake_api import FakeApi, Reply, Trouble
from tap_example.tap import TapExample

SUITE = Path(__file__).parent / "standard_suite.py"
pytestmark = pytest.mark.slow  # many processes
COMMAND = [sys.executable, "-m", "tap_example"]


def config(folder: Path, api: FakeApi, **more: Any) -> str:
    path = folder / "config.json"
    given = example_config(TapExample) | {"base_url": api.url, "allow_private_hosts": True}
    path.write_text(json.dumps({**given, **more}))
    return str(path)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as served:
        yield served


def test_discovery_needs_no_settings() -> None:
    """The rows are known without a configuration, and so is the catalog."""
    said = subprocess.run([*COMMAND, "--discover"], capture_output=True, text=True, check=True, timeout=60)

    streams = {one["tap_stream_id"]: one for one in json.loads(said.stdout)["streams"]}
    assert streams.keys() == {"customers", "orders", "products"}
    assert streams["customers"]["replication_key"] == "updated_at"
    assert streams["customers"]["schema"]["x-partition"] == {
        "mode": "datetime",
        "keys": ["created_at"],
        "format": "month",
    }


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (Reply({"message": "unknown token"}, 401), 5, "the server refuses this: unknown token"),
        (Reply({"message": "not yours"}, 403), 3, "3 of 3 streams failed: customers, products, orders"),
        (Reply({"message": "down"}, 503), 3, "3 of 3 streams failed"),
    ],
    ids=["401", "403", "503"],
)
def test_exit_codes(answer: Reply, code: int, said: str, api: FakeApi, tmp_path: Path) -> None:
    """Bad credentials end the run with 5; streams that fail each for itself with 3; one line says why."""
    api.route("/*", answer)

    ended = subprocess.run(
        [*COMMAND, "--config", config(tmp_path, api, max_attempts=2, retry_base_s=0.001)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == code
    assert said in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_signal_ends_a_wait_within_seconds(api: FakeApi, tmp_path: Path) -> None:
    """A tap that waits for a server, or for its retry, ends within seconds and not with 0."""
    api.route("/customers", {"data": [{"id": 1}], "next_cursor": "more"})
    api.trouble(Trouble(delay_s=0, path="/customers"), Trouble(status=503, headers={"Retry-After": "200"}))
    tap = subprocess.Popen(
        [*COMMAND, "--config", config(tmp_path, api)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in tap.stderr or ():
        if "waiting" in line:
            os.kill(tap.pid, signal.SIGTERM)
            break

    _, log = tap.communicate(timeout=15)

    assert tap.returncode == 143
    assert log.rstrip().endswith("stopped by signal 15; the next run goes on from the last STATE")


@pytest.mark.slow  # a test run of its own
def test_the_standard_suite_passes() -> None:
    """singer-sdk's own suite, every case on, against an API made of the tap's rows."""
    with world(TapExample) as there:
        given = {**there.config, "base_url": there.api.url}
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUITE)],
            env=os.environ | {"STANDARD_SUITE_CONFIG": json.dumps(given)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert ended.returncode == 0, ended.stdout + ended.stderr
