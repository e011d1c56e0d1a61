"""What a person sets: a manifest in a file, or the same words as settings."""

from __future__ import annotations

from singerkit.rest import tap
from singerkit.settings.fields import Setting

SETTINGS = (
    Setting("manifest", "file", "Manifest", "YAML or JSON file with the source and its endpoints."),
    Setting("base_url", "string", "Address", "Where the API is; paths are below it."),
    Setting(
        "endpoints",
        "array",
        "Endpoints",
        "One object a stream; the words are those of a manifest.",
        schema={"items": {"type": "object"}},
    ),
    Setting("defaults", "object", "Defaults", "Words that every endpoint has unless it says otherwise."),
    Setting("auth", "object", "Authentication", "How requests are signed; secrets in it are {names} of `secrets`."),
    Setting("headers", "object", "Headers", "Headers of every request."),
    Setting("variables", "object", "Variables", "Values for {names} in the rows."),
    Setting("secrets", "object", "Secrets", "Values for {names} that are never shown.", secret=True),
    *tap.SETTINGS,
)
GROUPS = (("base_url", "endpoints"), ("manifest",))
