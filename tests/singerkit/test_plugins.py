"""The plugin registry: listed without imports, loaded with care, broken ones named with their reason."""

import subprocess
import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner
from singer_sdk import Tap

from singerkit import plugins
from singerkit.errors import SettingsError
from singerkit.plugins_command import list_plugins

METADATA = """Metadata-Version: 2.3
Name: {name}
Version: 1.2
Summary: A tap of a test
Keywords: crm,sales
Classifier: Development Status :: {status}
Classifier: Topic :: Office/Business :: Sales
Project-URL: Documentation, https://docs.example/tap
"""


def installed(folder: Path, entries: str, name: str = "third-party", status: str = "4 - Beta") -> Path:
    """Write a package that is installed as far as its metadata goes, and return the folder to put on sys.path."""
    about = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(METADATA.format(name=name, status=status))
    (about / "entry_points.txt").write_text(entries)
    return folder


def points(folder: Path) -> list[EntryPoint]:
    found = Distribution.discover(path=[str(folder)])
    return [point for dist in found for point in dist.entry_points]


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "third_party.py").write_text(
        "from singer_sdk import Tap\nclass TapThird(Tap):\n    name = 'tap-third'\nclass NoTap: ...\n"
    )
    (tmp_path / "third_broken.py").write_text("1 / 0\n")
    (tmp_path / "third_needs.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_third_party_package_is_listed_from_its_metadata(tmp_path: Path) -> None:
    """Label, category, keywords, docs and status come from the package; no edit here, and no import."""
    folder = installed(tmp_path, "[singerkit.taps]\ntap-third = third_party:TapThird\n")
    sys.modules.pop("third_party", None)

    (one,) = plugins.plugins(points=points(folder))

    assert one == plugins.Plugin(
        "tap-third",
        "tap",
        "third_party:TapThird",
        "third-party",
        "1.2",
        "A tap of a test",
        "Sales",
        ("crm", "sales"),
        "https://docs.example/tap",
        "beta",
    )
    assert "third_party" not in sys.modules
    assert issubclass(one.load(), Tap)


def test_listing_imports_nothing() -> None:
    """`singerkit plugins` knows every installed plugin without importing one, or singer-sdk."""
    code = "import sys; from singerkit.plugins import plugins; print([p.name for p in plugins()]); "
    code += "assert not {'singer_sdk', 'tap_postgres', 'target_delta', 'tap_example'} & set(sys.modules)"

    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert "tap-postgres" in listed.stdout
    assert "target-delta" in listed.stdout


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("third_needs:TapX", "is disabled: surely_not_installed is not installed; pip install --upgrade third-party"),
        ("third_broken:TapX", "is disabled: its import fails with ZeroDivisionError; report it to its author"),
        ("third_party:Gone", "is disabled: third_party has no Gone; pip install --upgrade third-party"),
        (
            "third_party:NoTap",
            "is disabled: NoTap is no subclass of singer_sdk.Tap; correct the entry point of third-party",
        ),
    ],
    ids=["missing", "broken", "gone", "no-tap"],
)
def test_a_plugin_that_cannot_be_used_says_why(target: str, said: str, tmp_path: Path) -> None:
    """A disabled plugin is listed with its reason and what to do; the others are not touched."""
    folder = installed(tmp_path, f"[singerkit.taps]\ntap-third = {target}\n")

    (one,) = plugins.plugins(points=points(folder))

    assert one.reason() == f"tap-third {said}"


def test_unreleased_plugins_are_hidden(tmp_path: Path) -> None:
    """What is not released is in no list, and can still be named."""
    folder = installed(tmp_path, "[singerkit.taps]\ntap-third = third_party:TapThird\n", status="1 - Planning")

    assert plugins.plugins(points=points(folder)) == []
    assert plugins.find("tap-third", points=points(folder)).status == "unreleased"


def test_one_name_from_two_packages(tmp_path: Path) -> None:
    """A name that two packages claim is refused, with both packages."""
    installed(tmp_path, "[singerkit.taps]\ntap-third = third_party:TapThird\n")
    installed(tmp_path, "[singerkit.taps]\ntap-third = other:TapThird\n", "another")
    every = points(tmp_path)

    assert plugins.duplicates(plugins.plugins(points=every)) == ["tap-third"]
    with pytest.raises(SettingsError) as caught:
        plugins.find("tap-third", points=every)
    assert str(caught.value) == (
        "tap-third is claimed by several packages (packages=another, third-party); uninstall all but one"
    )


def test_an_old_name_leads_to_the_new_one(tmp_path: Path) -> None:
    """A deprecated alias works and warns."""
    entries = "[singerkit.taps]\ntap-third = third_party:TapThird\n"
    entries += "[singerkit.aliases]\ntap-old = third_party:TapThird\n"
    folder = installed(tmp_path, entries)

    with pytest.warns(DeprecationWarning, match="tap-old is now called tap-third"):
        assert plugins.find("tap-old", points=points(folder)).name == "tap-third"


def test_a_class_can_be_named_directly() -> None:
    """`module:Class` needs no entry point."""
    assert plugins.find("third_party:TapThird").load().name == "tap-third"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """A slip of the hand is answered with what was meant."""
    with pytest.raises(SettingsError, match=r"tap-postgre is not installed; did you mean tap-postgres\?"):
        plugins.find("tap-postgre")
    with pytest.raises(SettingsError, match="zzz is not installed; see `singerkit plugins`, or give module:Class"):
        plugins.find("zzz")


def test_the_command_line_lists_them() -> None:
    """`singerkit plugins` is a table; `--verbose` adds class and reason; `--json` is for programs."""
    plain = CliRunner().invoke(list_plugins, [])
    verbose = CliRunner().invoke(list_plugins, ["--verbose"])
    as_json = CliRunner().invoke(list_plugins, ["--json", "--verbose"])

    assert "tap-postgres" in plain.output
    assert "class: tap_postgres.tap:TapPostgres" in verbose.output
    assert '"disabled": null' in as_json.output
