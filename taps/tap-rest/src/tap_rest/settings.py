"""What a person sets: a manifest in a file, or the same words as settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from singerkit.rest.settings import RestSettings
from singerkit.settings.kinds import FileUpload, Input
from singerkit.settings.rows import settings


@settings
class Settings(RestSettings):
    """What tap-rest can be told."""

    groups: ClassVar = (("base_url", "endpoints"), ("manifest",))
    manifest: Annotated[Path | None, FileUpload("Manifest", "YAML or JSON file with the source and its endpoints.")] = (
        None
    )
    base_url: Annotated[
        str | None, Input("Address", "Where the API is; paths are below it.", placeholder="https://api.example.com/v1")
    ] = None
    endpoints: Annotated[
        tuple[Mapping[str, Any], ...],
        Input("Endpoints", "One object a stream; the words are those of a manifest."),
    ] = ()
    defaults: Annotated[
        Mapping[str, Any] | None, Input("Defaults", "Words that every endpoint has unless it says otherwise.")
    ] = None
    auth: Annotated[
        Mapping[str, Any] | None,
        Input("Authentication", "How requests are signed; secrets in it are {names} of `secrets`."),
    ] = None
    headers: Annotated[Mapping[str, Any] | None, Input("Headers", "Headers of every request.")] = None
    variables: Annotated[Mapping[str, Any] | None, Input("Variables", "Values for {names} in the rows.")] = None
    secrets: Annotated[
        Mapping[str, Any] | None, Input("Secrets", "Values for {names} that are never shown.", secret=True)
    ] = None
