"""Where things are deployed, by which rules, and who is told."""

from __future__ import annotations

from tap_github.rows.words import BY_CREATION, below, by_parent, newest_first, of_organization, of_repository

_DEPLOYMENT = below(
    "deployments",
    {"deployment": "id"},
    {"deployment_id": "id", "deployment_created_at": "created_at"},
    changed_by="created_at",
)
_MONTH = 30
_LATER = (
    "Deployments are found by when they were made: what changes later than 30 days after that is seen with "
    "`lookback_days`, and webhooks bring every change."
)

ENDPOINTS = (
    of_repository(
        "environments",
        "/environments",
        "Actions: read",
        records="$.environments",
        description="One row an environment with the rules that protect it.",
    ),
    of_repository(
        "deployments",
        "/deployments",
        "Deployments: read",
        bookmarks=newest_first("created_at", days=_MONTH),
        partition=BY_CREATION,
        version_keys=("updated_at",),
        description="One row a deployment; those of the last 30 days are read again.",
        warnings=(_LATER,),
    ),
    of_repository(
        "deployment_statuses",
        "/deployments/{deployment}/statuses",
        "Deployments: read",
        parents=_DEPLOYMENT,
        bookmarks=by_parent("deployment_created_at"),
        partition=BY_CREATION,
        selected=False,
        description="One row a status of a deployment; deployments of the last 30 days are asked again.",
        warnings=(_LATER, "One request for each deployment of the last 30 days; `start_date` bounds the first run."),
    ),
    of_repository(
        "rulesets",
        "/rulesets",
        "Metadata: read",
        keys=("repository_id", "id"),
        params={"includes_parents": "false"},
        description="One row a set of rules that a repository has made itself.",
    ),
    of_organization(
        "organization_rulesets",
        "/rulesets",
        "Administration: read",
        selected=False,
        description="One row a set of rules of an organisation.",
    ),
    of_repository(
        "hooks",
        "/hooks",
        "Webhooks: read",
        drop=("config.secret",),
        selected=False,
        description="One row a webhook; its secret is never written.",
    ),
)
