"""The token file: one owner, never half written, one writer at a time."""

import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from singerkit.connect.oauth import Tokens
from singerkit.connect.tokens import TokenFile
from singerkit.errors import CredentialsError, SettingsError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOKENS = Tokens("canary-access", NOON, "canary-refresh", NOON, ("a", "b"), "42", "Ada")


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json", "`tap-acme auth login`")


@pytest.mark.parametrize("tokens", [TOKENS, Tokens("canary", NOON)], ids=["all", "least"])
def test_what_is_written_is_read(tokens: Tokens, file: TokenFile) -> None:
    """Every value, times with their zone."""
    file.write(tokens)

    assert file.read() == tokens


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_the_owner_can_read_it(umask: int, tmp_path: Path) -> None:
    """0600, and 0700 for a folder of ours, whatever the umask."""
    before = os.umask(umask)
    file = TokenFile(tmp_path / "new" / "tokens.json", "`login`")
    file.write(TOKENS)
    os.umask(before)

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused(mode: int, file: TokenFile) -> None:
    """Whoever could read it may have: a person decides."""
    file.write(TOKENS)
    file.path.chmod(mode)

    with pytest.raises(CredentialsError) as refused:
        file.read()

    assert str(refused.value) == (
        f"the token file can be read by others (token_file={file.path}, mode={mode:04o}); "
        "chmod 600 it if nobody has read it; otherwise run `tap-acme auth login`"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: TokenFile) -> None:
    """Tokens that someone else put there are someone else's account."""
    file.write(TOKENS)
    os.chown(file.path, 65534, 65534)

    with pytest.raises(CredentialsError) as refused:
        file.read()

    assert str(refused.value) == f"the token file belongs to another user (token_file={file.path})"


@pytest.mark.parametrize(
    "content",
    ["", "canary", "[]", "{}", '{"version": 2}', '{"version": 1, "access_token": "canary"}', '{"version": 1, "x": 1}'],
)
def test_another_file_is_refused_without_a_word_of_it(content: str, file: TokenFile) -> None:
    """Truncated, of another version, or not ours at all: its content is not shown."""
    file.path.write_text(content)
    file.path.chmod(0o600)

    with pytest.raises(CredentialsError) as refused:
        file.read()

    assert str(refused.value) == (
        f"the token file is not one of this version (token_file={file.path}); run `tap-acme auth login`"
    )
    assert refused.value.__cause__ is None


def test_a_file_that_cannot_be_read_is_said_so(file: TokenFile) -> None:
    """What the system says, and where."""
    file.path.mkdir()

    with pytest.raises(CredentialsError) as refused:
        file.read()

    assert str(refused.value) == (
        f"the token file cannot be read: Is a directory (token_file={file.path}); check its owner and rights"
    )


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    """One line, for the file and for its lock."""
    (tmp_path / "file").touch()
    file = TokenFile(tmp_path / "file" / "tokens.json", "`login`")
    said = f"the token file cannot be written: File exists (token_file={file.path}); check its folder"

    with pytest.raises(SettingsError) as refused:
        file.write(TOKENS)
    with pytest.raises(SettingsError) as unlocked, file.lock():
        pass

    assert (str(refused.value), str(unlocked.value)) == (said, said)


def test_a_write_that_fails_leaves_the_old_tokens(file: TokenFile) -> None:
    """Nothing is left of the new file, and the old one is whole."""
    file.write(TOKENS)

    with pytest.raises(TypeError):
        file.write(Tokens("canary", NOON, account_id=object()))  # type: ignore[arg-type]

    assert file.read() == TOKENS
    assert [path.name for path in file.path.parent.iterdir()] == ["tokens.json"]


def test_readers_never_see_half_a_file(file: TokenFile) -> None:
    """While it is replaced many times, each read gives one of the whole tokens."""
    long = Tokens("x" * 20_000, NOON)
    file.write(TOKENS)

    def write_many() -> None:
        for n in range(50):
            file.write(long if n % 2 else TOKENS)

    writer = threading.Thread(target=write_many)
    writer.start()
    seen = [file.read() for _ in range(200)]
    writer.join()

    assert all(tokens in (TOKENS, long) for tokens in seen)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A person who keeps the tokens elsewhere finds them there after a renewal."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "kept" / "tokens.json")
    file = TokenFile(tmp_path / "link.json", "`login`")

    file.write(TOKENS)

    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "kept" / "tokens.json").is_file()


def test_one_holds_the_lock(file: TokenFile) -> None:
    """Threads too: each takes the file anew."""
    inside, most = [0], [0]

    def hold() -> None:
        for _ in range(50):
            with file.lock():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1]


def test_tokens_do_not_show_themselves() -> None:
    """`repr` is what ends in a traceback."""
    assert "canary" not in repr(TOKENS)
