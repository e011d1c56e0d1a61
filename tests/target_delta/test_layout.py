"""How data files are laid out, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from .conftest import Load, record, schema

if TYPE_CHECKING:
    from pathlib import Path

THINGS = schema("things", (), same="string", each="string")
ROWS = [record("things", same=f"group {number % 3}", each=f"{number:032}") for number in range(3000)]


def footers(warehouse: Path) -> list[Any]:
    """Return what the data files of the table say of themselves."""
    paths = [uri.removeprefix("file://") for uri in DeltaTable(warehouse / "things").file_uris()]
    return [pq.read_metadata(path) for path in paths]


@pytest.mark.parametrize(("share", "with_dictionary"), [(0.2, [True, False]), (0, [False, False]), (1, [True, True])])
def test_dictionaries(load: Load, warehouse: Path, share: float, with_dictionary: list[bool]) -> None:
    """A column gets a dictionary up to this share of different values."""
    load([THINGS, *ROWS], dictionary_share=share)

    (footer,) = footers(warehouse)

    found = [footer.row_group(0).column(place).has_dictionary_page for place in range(2)]
    assert found == with_dictionary


def test_row_groups(load: Load, warehouse: Path) -> None:
    """Row groups have so many rows, and the last one the rest."""
    load([THINGS, *ROWS], row_group_rows=1024)

    (footer,) = footers(warehouse)

    assert [footer.row_group(place).num_rows for place in range(footer.num_row_groups)] == [1024, 1024, 952]


@pytest.mark.parametrize(("codec", "name"), [("zstd", "ZSTD"), ("snappy", "SNAPPY"), ("none", "UNCOMPRESSED")])
def test_codecs(load: Load, warehouse: Path, codec: str, name: str) -> None:
    """Files are compressed by the codec that was chosen."""
    load([THINGS, *ROWS], compression=codec)

    assert footers(warehouse)[0].row_group(0).column(0).compression == name


def test_files_end_at_their_size(load: Load, warehouse: Path) -> None:
    """A file ends with the rows that bring it to its size, and the next one begins."""
    big = [record("things", same="x", each=f"{number:01000}") for number in range(3000)]

    load([THINGS, *big], file_size_mb=1, row_group_rows=1024, compression="none", dictionary_share=0)

    assert sorted(footer.num_rows for footer in footers(warehouse)) == [952, 2048]
