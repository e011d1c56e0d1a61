"""The tap without code: its rows come from settings or from a manifest, its schemas from there or from samples.

Takes a configuration; gives streams. Refuses a secret that stands in a manifest, where it would be shared.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.rest.tap import RestTap
from tap_rest.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import click

    from singerkit.rest.endpoint import Endpoint, Source
    from singerkit.rest.words import Manifest

_WORDS = ("base_url", "defaults", "auth", "headers")


class TapRest(RestTap):
    """Any REST API, described by rows."""

    name = "tap-rest"
    settings_class = Settings
    settings: Settings
    dynamic_catalog = True  # without settings there are no rows

    @classmethod
    def verbs(cls) -> Mapping[str, click.Command]:
        """Return what every tap of rows can do, and what writes manifests."""
        from tap_rest.verbs import VERBS

        return {**super().verbs(), **VERBS}

    @cached_property
    def manifest(self) -> Manifest:
        """The rows and their source; what the settings say comes before what the file says."""
        from singerkit.rest import manifest

        said = {name: value for name in _WORDS if (value := getattr(self.settings, name))}
        if self.settings.endpoints:
            said["endpoints"] = [*self.settings.endpoints]
        path = self.settings.manifest
        if path is None:
            found = manifest.read(said, where="settings")
        else:
            found = manifest.read_file(path)
            more = manifest.read({"base_url": found.base_url, **said}, where="settings")
            found = dataclasses.replace(found, **{name: getattr(more, name) for name in said})
        _refuse_secrets(found)
        return found

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """What fills the `{names}` of rows: variables, secrets, and the other settings."""
        return {**super().values, **(self.settings.variables or {}), **(self.settings.secrets or {})}

    def known_names(self) -> Collection[str]:
        """Return the names that rows may ask for."""
        return self.values.keys()

    def plain_source(self) -> Source:
        """Return the manifest's source."""
        return self.manifest.source

    def endpoint_rows(self) -> Sequence[Endpoint]:
        """Return the manifest's rows; those without a schema get one from the catalog, or from samples."""
        return self.complete_rows

    def schema_folder(self) -> Any:
        """Return the manifest's folder: schema files stand beside it."""
        return self.settings.manifest.parent if self.settings.manifest else None

    @cached_property
    def complete_rows(self) -> tuple[Endpoint, ...]:
        """The rows, each with a schema."""
        from tap_rest.sampling import sampled

        rows = {row.name: row for row in self.manifest.endpoints}
        for name, row in rows.items():
            if not self._has_schema(row):
                rows[name] = dataclasses.replace(row, schema=self._known_schema(name) or sampled(self, row, rows))
        return tuple(rows.values())

    def _has_schema(self, row: Endpoint) -> bool:
        folder = self.schema_folder()
        file = folder / (row.schema_file or f"schemas/{row.name}.json") if folder else None
        return row.schema is not None or row.schema_file is not None or (file is not None and file.is_file())

    def _known_schema(self, name: str) -> dict[str, Any] | None:
        """Return the schema that the catalog holds, so that a stream keeps its columns from run to run."""
        entry = self.input_catalog.get(name) if self.input_catalog else None
        return entry.schema.to_dict() if entry else None


def _refuse_secrets(found: Manifest) -> None:
    """Refuse a credential that is written out: manifests and meltano.yml are shared, `secrets` are not."""
    for part in dataclasses.fields(found.auth):
        value = getattr(found.auth, part.name)
        if not part.repr and isinstance(value, str) and value and "{" not in value:
            raise SettingsError(
                "a secret is written into the manifest",
                at=f"auth.{part.name}",
                remedy=f"write {{{part.name}}} there, and its value into the setting `secrets`",
            )
