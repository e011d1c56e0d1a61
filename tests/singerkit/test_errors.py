"""The error tree: one line a person can act on, and the exit code of the design."""

import pytest

from singerkit import errors


def test_an_error_says_what_where_and_what_to_do() -> None:
    """The text is `what (facts); remedy`, on one line, without facts that are not known."""
    error = errors.SettingsError("bookmark field\nis missing", remedy="add it", stream="issues", key=42, line=None)

    assert str(error) == "bookmark field is missing (stream=issues, key=42); add it"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SingerkitError("x"), 1),
        (errors.SettingsError("x"), 2),
        (errors.StreamsFailedError("x"), 3),
        (errors.SafetyStopError("x"), 4),
        (errors.CredentialsError("x"), 5),
        (errors.UnavailableError("x"), 6),
        (errors.StoreError("x"), 7),
        (errors.StoppedError(2), 130),
        (errors.StoppedError(15), 143),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_the_exit_code_tells_who_can_act(error: errors.SingerkitError, code: int) -> None:
    """Each class of error has the exit code of the design; a signal has the shell's."""
    assert error.exit_code == code
