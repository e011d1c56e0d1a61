"""The shell: bad input is one line on stderr and an exit code, never a traceback, a secret or a half line on stdout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from singerkit.shell import read_json_object

pytestmark = pytest.mark.slow  # a process each

CANARY = "canary-0815"
PLUGINS = Path(__file__).parent / "plugins"


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    code = "from singerkit.shell import main; main('tiny_tap:TinyTap')"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(PLUGINS)} | (env or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def config(folder: Path, text: str) -> str:
    path = folder / "config.json"
    path.write_text(text)
    return str(path)


def test_a_file_of_an_editor_that_marks_its_files(tmp_path: Path) -> None:
    """A byte order mark, which some editors put first, is no part of the JSON."""
    path = config(tmp_path, '\ufeff{"act": 5}')

    assert read_json_object(path, what="config file") == {"act": 5}


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (None, 2, "config file cannot be read: No such file or directory (path={path})"),
        ("{", 2, "config file is not valid JSON (path={path}, line=1)"),
        ("[]", 2, "config file must hold a JSON object (path={path})"),
        (
            f'{{"pasword": "{CANARY}"}}',
            2,
            "tiny-tap cannot use its settings: pasword: unknown, did you mean password?; see tiny-tap --about",
        ),
        ('{"act": 5}', 2, "tiny-tap cannot use its settings: act: must be a text; see tiny-tap --about"),
        ('{"act": "denied"}', 5, "the server refuses the password (host=localhost); check password"),
        ('{"act": "term"}', 143, "stopped by signal 15; the next run goes on from the last STATE"),
        ('{"act": "int"}', 130, "stopped by signal 2; the next run goes on from the last STATE"),
    ],
    ids=["missing", "broken", "no-object", "unknown", "type", "denied", "sigterm", "sigint"],
)
def test_bad_input_is_one_line_and_an_exit_code(text: str | None, code: int, said: str, tmp_path: Path) -> None:
    """What a user can cause ends with one clear line and the exit code of the design, without a traceback."""
    path = str(tmp_path / "none.json") if text is None else config(tmp_path, text)

    ended = run("--config", path)

    assert ended.returncode == code
    assert ended.stderr.rstrip().endswith(said.format(path=path))
    assert "Traceback" not in ended.stderr
    assert CANARY not in ended.stdout + ended.stderr


@pytest.mark.parametrize("option", ["--catalog", "--state"])
@pytest.mark.parametrize(("text", "said"), [(None, "No such file"), ("{", "is not valid JSON"), ("[]", "JSON object")])
def test_a_bad_catalog_or_state_is_one_line(option: str, text: str | None, said: str, tmp_path: Path) -> None:
    """A missing or broken catalog or state ends with exit 2 and one line that names the file."""
    path = tmp_path / "given.json"
    if text is not None:
        path.write_text(text)

    ended = run(option, str(path))

    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]
    assert str(path) in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_bug_shows_its_traceback_without_the_secret(tmp_path: Path) -> None:
    """Only a bug of ours prints a traceback; the secrets in it are masked, and the exit code is 1."""
    ended = run("--config", config(tmp_path, json.dumps({"act": "bug", "password": CANARY})))

    assert ended.returncode == 1
    assert "ZeroDivisionError: ***" in ended.stderr
    assert CANARY not in ended.stdout + ended.stderr


def test_settings_come_from_the_environment_where_asked() -> None:
    """`--config ENV` reads TINY_TAP_*, as singer-sdk has it."""
    ended = run("--config", "ENV", env={"TINY_TAP_ACT": "denied"})

    assert ended.returncode == 5


def test_a_good_run_prints_singer_messages_only(tmp_path: Path) -> None:
    """stdout carries Singer messages; the exit code of a good run is 0."""
    ended = run("--config", config(tmp_path, "{}"))

    assert ended.returncode == 0
    assert [json.loads(line)["type"] for line in ended.stdout.splitlines()] == [
        "SCHEMA",
        "RECORD",
        "RECORD",
        "RECORD",
        "STATE",
    ]


def test_a_reader_that_goes_away_is_no_bug(tmp_path: Path) -> None:
    """A closed pipe ends with exit 6 and one line that points to the reader's own message."""
    code = "from singerkit.shell import main; main('tiny_tap:TinyTap')"
    command = [sys.executable, "-c", code, "--config", config(tmp_path, "{}")]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": str(PLUGINS)},
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert ended.returncode == 6
    assert ended.stderr.rstrip().endswith("the reader of this output has gone; see its own message")
    assert "Traceback" not in ended.stderr
