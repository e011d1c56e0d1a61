"""Actions: workflows, their runs and jobs, and what they leave behind."""

from __future__ import annotations

from tap_github.rows.words import BY_CREATION, below, by_parent, newest_first, of_repository

_RUN = below(
    "workflow_runs", {"run": "id"}, {"workflow_run_id": "id", "run_created_at": "created_at"}, changed_by="created_at"
)
_LATER = (
    "Runs are found by when they were made, and change later: a day is read again. `lookback_days` reads more (a run "
    "can be started again for 30 days), and webhooks bring every change."
)

ENDPOINTS = (
    of_repository(
        "workflows",
        "/actions/workflows",
        "Actions: read",
        records="$.workflows",
        description="One row a workflow.",
    ),
    of_repository(
        "workflow_runs",
        "/actions/runs",
        "Actions: read",
        records="$.workflow_runs",
        bookmarks=newest_first("created_at", days=1),
        partition=BY_CREATION,
        version_keys=("run_attempt", "updated_at"),
        description="One row a run of a workflow. Asked for without filters: the vendor cuts filtered lists at 1,000.",
        warnings=(_LATER,),
    ),
    of_repository(
        "workflow_jobs",
        "/actions/runs/{run}/jobs",
        "Actions: read",
        params={"filter": "all"},
        records="$.jobs",
        parents=_RUN,
        bookmarks=by_parent("run_created_at"),
        version_keys=("completed_at", "started_at", "created_at"),
        selected=False,
        description="One row a job of a run, of every attempt.",
        warnings=(_LATER, "One request for each run; `start_date` bounds the first run."),
    ),
    of_repository(
        "artifacts",
        "/actions/artifacts",
        "Actions: read",
        records="$.artifacts",
        partition=BY_CREATION,
        vendor_keeps="90d",
        description="One row a file that a run left.",
        warnings=("The vendor forgets artifacts after 90 days: what was read stays in the table.",),
    ),
    of_repository(
        "actions_caches",
        "/actions/caches",
        "Actions: read",
        records="$.actions_caches",
        description="One row a cache.",
    ),
    of_repository(
        "runners",
        "/actions/runners",
        "Administration: read",
        keys=("repository_id", "id"),
        records="$.runners",
        selected=False,
        description="One row a machine of one's own that runs jobs.",
    ),
)
