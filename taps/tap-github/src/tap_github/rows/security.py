"""Alerts, advisories and dependencies. Repositories where a feature is off have no rows."""

from __future__ import annotations

from singerkit.rest.pages import Single
from singerkit.rest.rules import Rule
from tap_github.rows.words import BY_CREATION, newest_first, of_repository

_IS_OFF = Rule(
    action="ignore", status=403, body="$.message", matches="not enabled|must be enabled|are disabled|archived"
)
_NUMBERED = ("repository_id", "number")
_BY_CHANGE = newest_first("updated_at", sort="updated", direction="desc")

ENDPOINTS = (
    of_repository(
        "code_scanning_alerts",
        "/code-scanning/alerts",
        "Code scanning alerts: read",
        keys=_NUMBERED,
        rules=(_IS_OFF,),
        bookmarks=_BY_CHANGE,
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row a weakness that code scanning found.",
    ),
    of_repository(
        "dependabot_alerts",
        "/dependabot/alerts",
        "Dependabot alerts: read",
        keys=_NUMBERED,
        rules=(_IS_OFF,),
        bookmarks=_BY_CHANGE,
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row a dependency with a known weakness.",
    ),
    of_repository(
        "secret_scanning_alerts",
        "/secret-scanning/alerts",
        "Secret scanning alerts: read",
        keys=_NUMBERED,
        params={"hide_secret": "true"},
        drop=("secret",),
        rules=(_IS_OFF,),
        bookmarks=_BY_CHANGE,
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row a secret that was found in a repository; the secret itself is never asked for.",
    ),
    of_repository(
        "security_advisories",
        "/security-advisories",
        "Repository security advisories: read",
        keys=("repository_id", "ghsa_id"),
        bookmarks=_BY_CHANGE,
        version_keys=("updated_at",),
        description="One row an advisory that a repository has written.",
    ),
    of_repository(
        "dependency_sbom",
        "/dependency-graph/sbom",
        "Contents: read",
        keys=("repository_id", "SPDXID"),
        records="$.sbom.packages",
        pages=Single(),
        rules=(_IS_OFF,),
        description="One row a package of a repository's bill of materials.",
    ),
)
