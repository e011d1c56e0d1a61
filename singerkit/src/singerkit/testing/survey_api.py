"""A small API to learn with: `python -m singerkit.testing.survey_api 8765` serves forms and their answers on loopback.

Takes a port; gives /forms, by cursor and with `since`, and /forms/N/answers, by Link header. Needs the token `secret`.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from singerkit.testing.fake_api import Asked, FakeApi, Reply
from singerkit.testing.served import Collection

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "secret"  # noqa: S105  # the tutorial's, for loopback
FORMS = 30
ANSWERS = 12


def serve(port: int = 0) -> FakeApi:
    """Return the API on a port, or on a free one; it serves within a `with`."""
    api = FakeApi(port=port)
    forms = [_form(number) for number in range(1, FORMS + 1)]
    api.route("/forms", _signed(Collection(rows=forms, style="cursor", size=10, bookmark="updated_at")))
    for form in forms:
        answers = [_answer(number) for number in range(1, ANSWERS + 1)]
        api.route(f"/forms/{form['id']}/answers", _signed(Collection(rows=answers, style="link", size=5)))
    return api


def _signed(answer: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    def guarded(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply({"message": "unknown token"}, 401)
        return answer(asked)

    return guarded


def _form(number: int) -> dict[str, Any]:
    return {"id": number, "title": f"Form {number}", "updated_at": f"2026-01-{number:02}T09:00:00Z"}


def _answer(number: int) -> dict[str, Any]:
    text = f"answer {number}"
    return {"token": f"a{number}", "score": number % 5, "text": text, "submitted_at": f"2026-02-{number:02}T12:00:00Z"}


def main() -> None:
    """Serve until the process is ended."""
    with serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as api:
        sys.stdout.write(f"serving {api.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
