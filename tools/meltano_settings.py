"""Writes what the plugins say of themselves into meltano.yml: `python -m tools.meltano_settings`.

Takes the answers of `--about --format=json`, the verbs of the plugins and the text of meltano.yml; gives the text with
the settings, their groups, the capabilities and the commands of each plugin renewed, and everything else, comments too,
as it was.
"""

from __future__ import annotations

import io
import json
import subprocess
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from singerkit.plugins import plugins
from singerkit.settings import meltano
from singerkit.verbs import words_of
from tools.setup import ENVIRONMENTS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ruamel.yaml.comments import CommentedMap

PROJECT = ROOT / "meltano.yml"


def about(executable: str) -> dict[str, Any]:
    """Return what a plugin of the workspace says of itself."""
    command = [str(ENVIRONMENTS["workspace"].python.with_name(executable)), "--about", "--format=json"]
    said: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return said | {"commands": commands(executable)}


def commands(executable: str) -> dict[str, dict[str, str]]:
    """Return the verbs of a plugin as Meltano's commands: `meltano invoke tap-x:auth-login`."""
    plugin = next(one for one in plugins(hidden=True) if one.name == executable).load()
    return {
        "-".join(words): {"args": " ".join(words), "description": verb.get_short_help_str(limit=120)}
        for words, verb in words_of(plugin.verbs())
    }


def renewed(text: str, abouts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return meltano.yml with the settings of the plugins named in `abouts` as they describe them."""
    yaml = YAML()
    yaml.width = 4096  # no folding: a folded line may end in a blank
    yaml.preserve_quotes = True
    project = yaml.load(text)
    for plugin in _plugins(project):
        if said := abouts.get(plugin["name"]):
            _renew(plugin, said)
    written = io.StringIO()
    yaml.dump(project, written)
    return written.getvalue()


def main() -> None:
    """Renew meltano.yml from the installed plugins."""
    text = PROJECT.read_text()
    PROJECT.write_text(renewed(text, {name: about(name) for name in described(text)}))


def described(text: str) -> list[str]:
    """Return the plugins whose settings meltano.yml holds: those with an executable; the others inherit."""
    return [plugin["name"] for plugin in _plugins(YAML(typ="safe").load(text)) if "executable" in plugin]


def _renew(plugin: CommentedMap, said: Mapping[str, Any]) -> None:
    """Put what a plugin says behind its `executable`, and leave its other lines where they are."""
    ours: dict[str, Any] = {"capabilities": sorted(said["capabilities"])}
    if groups := meltano.groups(said["settings"]):
        ours["settings_group_validation"] = groups
    if verbs := said.get("commands"):
        ours["commands"] = dict(verbs)
    ours["settings"] = list(meltano.settings(said["settings"]))
    for place, (name, value) in enumerate(ours.items(), list(plugin).index("executable") + 1):
        if name in plugin:
            plugin[name] = value
        else:
            plugin.insert(place, name, value)


def _plugins(project: Mapping[str, Any]) -> Iterator[Any]:
    for listed in project["plugins"].values():
        yield from listed


if __name__ == "__main__":
    main()
