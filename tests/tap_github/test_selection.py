"""Which repositories are read: names, patterns, exclusions; organisations and people; what was renamed or is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from singerkit.errors import SettingsError
from tap_github.selection import selection

if TYPE_CHECKING:
    from tests.tap_github.account import Account
    from tests.tap_github.conftest import Tries

LISTED: list[dict[str, Any]] = [
    {"full_name": "Octo/Hello"},
    {"full_name": "octo/web-shop"},
    {"full_name": "octo/web-old", "archived": True},
    {"full_name": "octo/copy", "fork": True},
]


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        ({"organizations": ["Octo"]}, ["Octo/Hello", "octo/web-shop", "octo/web-old", "octo/copy"]),
        ({"repositories": ["octo/web-*"]}, ["octo/web-shop", "octo/web-old"]),
        ({"repositories": ["octo/*", "!octo/web-*"]}, ["Octo/Hello", "octo/copy"]),
        ({"repositories": ["OCTO/HE*"]}, ["Octo/Hello"]),
        ({"users": ["octo"], "skip_forks": True, "skip_archived": True}, ["Octo/Hello", "octo/web-shop"]),
        ({"repositories": ["octo/hello"]}, []),
    ],
    ids=["organisation", "pattern", "exclusion", "case", "skipped", "names are asked for, not listed"],
)
def test_patterns(settings: dict[str, Any], chosen: list[str]) -> None:
    """A pattern chooses of an owner's list, without regard to case; exclusions and switches take away."""
    made = selection(settings)

    assert [one["full_name"] for one in LISTED if made.lists(one)] == chosen


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "nothing is chosen; set repositories, organizations or users"),
        ({"repositories": ["hello"]}, "repositories: hello is neither a name nor a pattern; write it like octo/hello"),
        ({"repositories": ["!a/b/c"]}, "repositories: a/b/c is neither a name nor a pattern"),
        ({"organizations": ["octo/hello"]}, "organizations: octo/hello is no name of an account; write it like octo"),
    ],
)
def test_what_is_no_choice(settings: dict[str, Any], said: str) -> None:
    """An entry that cannot be a name or a pattern is refused before anything is asked."""
    with pytest.raises(SettingsError) as caught:
        selection(settings if settings.get("repositories") != ["!a/b/c"] else {"repositories": ["a/b", "!a/b/c"]})

    assert str(caught.value).startswith(said)


@pytest.mark.slow  # a run of the tap
def test_organisations_people_and_names_in_one_run(account: Account, tries: Tries) -> None:
    """Each repository comes once, however often it is named; who is an organisation is found by asking."""
    account.found("octo", "hello")
    account.found("octo", "other")
    account.found("ada", "notes")

    done = tries.run("repositories", repositories=["octo/hello", "octo/h*", "ada/*"], organizations=[])

    assert done.error is None
    assert [row["full_name"] for row in done.records("repositories")] == ["octo/hello", "ada/notes"]
    assert done.records("repositories")[0]["owner_login"] == "octo"


@pytest.mark.slow  # a run of the tap
def test_a_renamed_repository_is_followed(account: Account, tries: Tries) -> None:
    """The old name leads to the new one; the number stays, and with it keys and bookmarks: nothing is read again."""
    one = account.found("octo", "hello", issues=9)
    before = tries.run("issues", repositories=["octo/hello"], organizations=[])
    account.rename(one, "welcome")
    account.edit(one.lists["issues"][0], title="another title")

    after = tries.run("issues", repositories=["octo/hello"], organizations=[], state=before.state)

    assert after.error is None
    assert len(after.records("issues")) <= 3  # the one that changed, and those at the bookmark
    changed = {row["id"]: row for row in after.records("issues")}[one.lists["issues"][0]["id"]]
    assert (changed["repository_id"], changed["repository_name"]) == (one.row["id"], "welcome")
    assert changed["title"] == "another title"


@pytest.mark.slow  # a run of the tap
def test_one_name_that_leads_nowhere(account: Account, tries: Tries) -> None:
    """It is said, and the others are read: a repository may vanish in any night."""
    account.found("octo", "hello")

    done = tries.run("repositories", repositories=["octo/hello", "octo/typo"], organizations=[])

    assert [row["name"] for row in done.records("repositories")] == ["hello"]
    assert "no such repository, or this credential does not see it name=octo/typo" in done.log


@pytest.mark.slow  # a run of the tap
def test_no_name_that_leads_anywhere(account: Account, tries: Tries) -> None:
    """A typing error must not empty the tables: the run fails."""
    done = tries.run("repositories", repositories=["octo/typo"], organizations=[])

    assert str(done.error) == (
        "none of the repositories is there, or this credential sees none of them (stream=repositories); "
        "check the names, and what the token may read"
    )
