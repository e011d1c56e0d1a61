"""The catalogue of the documentation is made of what is installed."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import catalogue


def test_every_plugin_has_its_section() -> None:
    """Streams of rows, settings and secrets are listed; nothing else needs to be written."""
    text = catalogue.catalogue()

    assert "## tap-example" in text
    assert "| `orders` | customer_id, id | full load | customers | One row an order of a customer. |" in text
    assert "| `token` | a text |  | Made under Settings, API. **Required.** **Secret.** |" in text
    assert "## target-delta" in text


def test_a_package_of_others_is_in_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third-party package that declares the entry point appears with no edit here; a broken one with its reason."""
    about = tmp_path / "tap_of_others-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.3\nName: tap-of-others\nVersion: 1.0\nSummary: Others\n")
    (about / "entry_points.txt").write_text("[singerkit.taps]\ntap-of-others = not_there_at_all:TapOfOthers\n")
    monkeypatch.syspath_prepend(tmp_path)

    text = catalogue.on_page_markdown(
        catalogue.MARKER, page=SimpleNamespace(file=SimpleNamespace(src_uri=catalogue.PAGE))
    )

    assert "## tap-of-others\n\nOthers" in text
    assert "Not usable here: tap-of-others is disabled: not_there_at_all is not installed" in text
