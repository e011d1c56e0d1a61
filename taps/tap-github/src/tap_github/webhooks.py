"""GitHub's webhooks: which event holds a record of which stream, how they are signed, and where they are registered.

Takes the settings; gives what the receiver and the drain of singerkit need. The vendor's words:
https://docs.github.com/en/webhooks/webhook-events-and-payloads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singerkit.rest.endpoint import Condition
from singerkit.rest.message import Request
from singerkit.rest.pages import Link
from singerkit.rest.refusals import Sending
from singerkit.webhooks.events import Event, Hooks
from singerkit.webhooks.signature import Hmac
from tap_github.rows.words import LIMITS, SCOPES_HELP
from tap_github.selection import selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.rest.client import Client
    from singerkit.rest.rules import Verdict

_REPOSITORY = {
    "repository_id": "$.repository.id",
    "repository_owner": "$.repository.owner.login",
    "repository_name": "$.repository.name",
}
_PULL = {
    "pull_request_id": "$.pull_request.id",
    "pull_request_number": "$.pull_request.number",
    "pull_request_updated_at": "$.pull_request.updated_at",
}
_DELETED = (Condition(field="action", value="deleted"),)
_OF_ISSUE = (Condition(field="issue.pull_request", is_="absent"),)


def _event(name: str, stream: str, record: str, more: Mapping[str, str] | None = None, **words: Any) -> Event:
    return Event(name=name, stream=stream, record=record, columns={**_REPOSITORY, **(more or {})}, **words)


HOOKS = Hooks(
    signature=Hmac(header="X-Hub-Signature-256", prefix="sha256="),
    event_header="X-GitHub-Event",
    events=(
        _event("issues", "issues", "$.issue", only_if=_OF_ISSUE, gone_if=_DELETED),
        _event("issue_comment", "issues", "$.issue", only_if=_OF_ISSUE),
        _event("issue_comment", "issue_comments", "$.comment", gone_if=_DELETED),
        _event("pull_request", "pull_requests", "$.pull_request"),
        _event("pull_request_review", "reviews", "$.review", _PULL, upper=("state",)),
        _event("pull_request_review_comment", "pull_request_comments", "$.comment", gone_if=_DELETED),
        _event("workflow_run", "workflow_runs", "$.workflow_run"),
        _event("workflow_job", "workflow_jobs", "$.workflow_job", {"workflow_run_id": "$.workflow_job.run_id"}),
        _event("deployment", "deployments", "$.deployment"),
        _event(
            "deployment_status",
            "deployment_statuses",
            "$.deployment_status",
            {"deployment_id": "$.deployment.id", "deployment_created_at": "$.deployment.created_at"},
        ),
        _event("check_run", "check_runs", "$.check_run", {"commit_sha": "$.check_run.head_sha"}),
        _event("code_scanning_alert", "code_scanning_alerts", "$.alert"),
        _event("dependabot_alert", "dependabot_alerts", "$.alert"),
        _event("secret_scanning_alert", "secret_scanning_alerts", "$.alert"),
    ),
)
_SENDING = Sending("webhooks", LIMITS, ("Webhooks: write",), SCOPES_HELP)


@dataclass(frozen=True)
class Registrar:
    """Hooks of the organisations whose repositories are listed, and of the repositories that are named."""

    client: Client
    settings: Any

    def register(self, url: str) -> Iterator[str]:
        """Have deliveries sent to an address; a hook that is there already gets the events and the secret of now."""
        config = {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": self.settings.webhook_secret}
        body = {"active": True, "events": list(HOOKS.names), "config": config}
        for place in self._places():
            known = self._known(place, url)
            if known is None:
                self._ask("POST", f"{place}/hooks", {"name": "web", **body})
            else:
                self._ask("PATCH", f"{place}/hooks/{known['id']}", body)
            yield f"{place[1:]}: {'registered' if known is None else 'registered again'}, {len(HOOKS.names)} events"
        yield from self._unreached()

    def status(self, url: str) -> Iterator[str]:
        """Say for each place whether it sends, and how the last delivery went."""
        for place in self._places():
            known = self._known(place, url)
            if known is None:
                yield f"{place[1:]}: not registered"
                continue
            last = (known.get("last_response") or {}).get("message") or (known.get("last_response") or {}).get("status")
            missing = sorted({*HOOKS.names} - {*known.get("events", ())})
            more = f", without {', '.join(missing)}" if missing else ""
            yield f"{place[1:]}: {'on' if known.get('active') else 'off'}, last answer {last or 'unknown'}{more}"

    def remove(self, url: str) -> Iterator[str]:
        """Have nothing more sent to an address."""
        for place in self._places():
            known = self._known(place, url)
            if known is not None:
                self._ask("DELETE", f"{place}/hooks/{known['id']}")
            yield f"{place[1:]}: {'was not registered' if known is None else 'removed'}"

    def _unreached(self) -> Iterator[str]:
        """Say whose repositories have to be named: only organisations have hooks for all of theirs."""
        for person in sorted(selection(vars(self.settings)).people):
            yield f"users/{person}: a person has no hooks; name the repositories in `repositories`"

    def _places(self) -> Iterator[str]:
        chosen = selection(vars(self.settings))
        yield from (f"/orgs/{owner}" for owner in chosen.owners if owner not in chosen.people)
        yield from (f"/repos/{name}" for name in chosen.names)

    def _known(self, place: str, url: str) -> Mapping[str, Any] | None:
        request: Request | None = self._request("GET", f"{place}/hooks").with_values("query", {"per_page": 100})
        while request is not None:
            _, answer = self.client.send(request, _SENDING)
            for hook in answer.body or ():
                if (hook.get("config") or {}).get("url") == url:
                    found: Mapping[str, Any] = hook
                    return found
            request = Link().next(request, answer)
        return None

    def _ask(self, method: str, path: str, body: Any = None) -> Verdict:
        return self.client.send(self._request(method, path, body), _SENDING)[0]

    def _request(self, method: str, path: str, body: Any = None) -> Request:
        return Request(method, self.client.source.base_url.rstrip("/") + path, body=body)
