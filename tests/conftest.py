"""What every test starts from: no deadline for hypothesis, since the machine is shared, and the repository's root."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("workspace", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)  # `make check`: --hypothesis-profile=quick
settings.load_profile("workspace")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds pyproject.toml and meltano.yml."""
    return ROOT
