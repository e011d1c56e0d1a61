"""What every test starts from: no deadline for hypothesis, since the machine is shared; the root; logs as they were."""

from __future__ import annotations

import logging
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from singerkit.settings import secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

settings.register_profile("workspace", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)  # `make check`: --hypothesis-profile=quick
settings.load_profile("workspace")

TOGETHER = {
    "tests/e2e/test_demo.py": "demo",  # it uses the repository's own Meltano project
    "tests/e2e/test_meltano.py": "plugins",  # which Meltano installs, once
    "tests/e2e/test_rest.py": "plugins",
    "tests/e2e/test_verbs.py": "plugins",
}
"""Files whose tests run one after the other."""
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds pyproject.toml and meltano.yml."""
    return ROOT


@pytest.fixture(autouse=True)
def secrets_of_one_test() -> Iterator[None]:
    """Forget the secrets that a test has told its process: a common word among them would be masked in the next."""
    known = secrets._known  # no program forgets a secret, so there is no way but this
    yield
    secrets._known = known


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Take back what a plugin's command line, run inside a test, does to the logs of the process.

    Its handlers write to that test's stderr, which is closed when the next one logs.
    """
    logs = logging.getLogger()
    handlers, level = logs.handlers[:], logs.level
    yield
    logs.handlers[:] = handlers
    logs.setLevel(level)


def _refuse_the_world(event: str, arguments: tuple[object, ...]) -> None:
    """Stop a test that reaches beyond this machine: it would pass or fail by what happens to be there."""
    if event != "socket.connect" or not isinstance(address := arguments[1], tuple):
        return  # a path is a socket of this machine
    host = str(address[0]).partition("%")[0]
    if host != "localhost" and not ip_address(host).is_loopback:
        raise AssertionError(f"a test connects to {host}, which is not loopback")


sys.addaudithook(_refuse_the_world)


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each test to the next free worker, but those of `TOGETHER` to one worker, and to that one first."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.partition("::")[0], nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Schedule in place of xdist's groups, which a mark makes: pytest 9.2 does not let it rename tests."""
    return Together(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the figures that tests have recorded of themselves."""
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and report.user_properties:
            figures = ", ".join(f"{name}: {figure}" for name, figure in report.user_properties)
            terminalreporter.line(f"{report.nodeid}: {figures}")
