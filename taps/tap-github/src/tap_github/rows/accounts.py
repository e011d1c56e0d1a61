"""Repositories, organisations and users: what everything else is below, and who may do what."""

from __future__ import annotations

from singerkit.rest.endpoint import Endpoint, Parent
from singerkit.rest.pages import Single
from tap_github.rows.words import ABSENT, LIMITS, LINK, SCOPES_HELP, of_organization, of_repository

_SELECTED = (*LIMITS, *ABSENT)
_TEAM = Parent(
    stream="teams",
    params={"org": "organization", "team_slug": "slug"},
    fields={"organization_id": "organization_id", "team_id": "id", "team_slug": "slug"},
)
_OFTEN_REFUSED = "A credential that may not see this list is refused: exit 3, the other streams are complete."

ENDPOINTS = (
    Endpoint(
        name="repositories",
        read="tap_github.reads:repositories",
        keys=("id",),
        lifted={"owner_login": "owner.login"},
        drop=("temp_clone_token",),
        pages=LINK,
        rules=_SELECTED,
        scopes=("Metadata: read",),
        scopes_help=SCOPES_HELP,
        description="One row a repository that the settings choose.",
        warnings=("A repository that vanished or was hidden leaves the table with the next load.",),
    ),
    Endpoint(
        name="organizations",
        read="tap_github.reads:organizations",
        keys=("id",),
        rules=_SELECTED,
        scopes=("Metadata: read",),
        scopes_help=SCOPES_HELP,
        description="One row an organisation whose name the settings hold.",
    ),
    Endpoint(
        name="users",
        read="tap_github.reads:users",
        keys=("id",),
        rules=_SELECTED,
        description="One row a person whose name the settings hold.",
    ),
    of_organization(
        "organization_members",
        "/members",
        "Members: read",
        description="One row a member of an organisation; public members alone where the credential is none of them.",
    ),
    of_organization(
        "outside_collaborators",
        "/outside_collaborators",
        "Members: read",
        selected=False,
        description="One row a person outside the organisation who may work in one of its repositories.",
        warnings=(_OFTEN_REFUSED,),
    ),
    of_organization(
        "teams",
        "/teams",
        "Members: read",
        keys=("id",),
        selected=False,
        description="One row a team.",
        warnings=(_OFTEN_REFUSED,),
    ),
    of_organization(
        "team_members",
        "/teams/{team_slug}/members",
        "Members: read",
        keys=("organization_id", "team_id", "id"),
        parents=(_TEAM,),
        selected=False,
        description="One row a member of a team.",
        warnings=(_OFTEN_REFUSED,),
    ),
    of_organization(
        "team_repositories",
        "/teams/{team_slug}/repos",
        "Members: read",
        keys=("organization_id", "team_id", "id"),
        parents=(_TEAM,),
        drop=("temp_clone_token",),
        selected=False,
        description="One row a repository of a team, with the team's role in it.",
        warnings=(_OFTEN_REFUSED,),
    ),
    of_repository(
        "repository_teams",
        "/teams",
        "Administration: read",
        keys=("repository_id", "id"),
        selected=False,
        description="One row a team that may work in a repository, with its role.",
        warnings=(_OFTEN_REFUSED,),
    ),
    of_repository(
        "collaborators",
        "/collaborators",
        "Administration: read",
        keys=("repository_id", "id"),
        selected=False,
        description="One row a person who may work in a repository, with the role.",
        warnings=(_OFTEN_REFUSED,),
    ),
    of_repository(
        "assignees",
        "/assignees",
        "Issues: read",
        keys=("repository_id", "id"),
        description="One row a person whom issues of a repository may be assigned to.",
    ),
    of_repository(
        "custom_property_values",
        "/properties/values",
        "Metadata: read",
        keys=("repository_id", "property_name"),
        pages=Single(),
        selected=False,
        description="One row a value of an organisation's custom property, by repository.",
    ),
)
