"""The reference of REST rows says what the rows' types say."""

import pytest

from singerkit.rest import words
from tools import rest_reference


@pytest.mark.parametrize("name", ["PAGE", "SCHEMA"])
def test_the_reference_is_up_to_date(name: str) -> None:
    """Where this fails: python -m tools.rest_reference."""
    made = {"PAGE": rest_reference.page(), "SCHEMA": rest_reference.schema()}

    assert getattr(rest_reference, name).read_text(encoding="utf-8") == made[name]


def test_every_word_has_a_meaning() -> None:
    """A word without a sentence below its field would be a word that nobody can use."""
    rows = [*words.ROWS, *(row for _, names in words.CHOICES.values() for row in names.values())]

    missing = [f"{row.__name__}.{one.name}" for row in rows for one in words.words(row) if not one.meaning]

    assert missing == []
