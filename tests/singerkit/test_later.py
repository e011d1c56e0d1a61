"""Heavy modules that singer-sdk imports are imported when they are called, and not before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from singerkit.plugins import Plugin, plugins

pytestmark = pytest.mark.slow  # a fresh Python each

HEAVY = {"adbc_driver_manager", "deltalake", "fsspec", "ibis", "numpy", "psycopg", "pyarrow", "requests", "sqlalchemy"}

START = "import sys; from singerkit.later import postpone; postpone(); import singer_sdk; "


def python(code: str) -> str:
    """Return what a fresh Python prints: modules of this one are imported already."""
    return subprocess.run([sys.executable, "-c", START + code], check=True, capture_output=True, text=True).stdout


def test_singer_sdk_starts_without_them() -> None:
    """Importing singer-sdk imports neither numpy nor fsspec."""
    assert python("print(sorted({'numpy', 'fsspec'} & set(sys.modules)))") == "[]\n"


def test_a_call_reaches_the_module_itself() -> None:
    """Whoever calls a function of a stand-in, or imports a part of it, gets the real one."""
    code = (
        "from singer_sdk.helpers import _batch; print(_batch.StorageTarget.split_url('file:///a/b.json'));"
        "import joblib.parallel; from joblib import Parallel, delayed; "
        "print(Parallel()(delayed(abs)(number) for number in (-1, 2)))"
    )

    assert python(code) == "('file:///a', 'b.json')\n[1, 2]\n"


def test_what_is_imported_already_stays() -> None:
    """A module that is there is never replaced."""
    code = "import upath; upath.UPath('x'); import upath; postpone(); print('UPath' in vars(upath))"

    assert python(code) == "True\n"


def test_a_class_can_be_derived_from_and_asked_for() -> None:
    """Whoever derives from a class of a stand-in, or asks for an instance, gets the real one."""
    code = (
        "import types; Own = types.new_class('Own', (singer_sdk.RESTStream,)); "
        "from singer_sdk.streams.rest import RESTStream; "
        "print(issubclass(Own, RESTStream), isinstance(3, singer_sdk.GraphQLStream))"
    )

    assert python(code) == "True False\n"


@pytest.mark.parametrize("plugin", plugins(), ids=lambda plugin: plugin.name)
def test_an_executable_tells_of_itself_without_what_it_reads_and_writes_with(plugin: Plugin) -> None:
    """`--help`, `--about` and `--version` import neither Arrow nor a client of HTTP nor a driver."""
    code = (
        "import atexit; from singerkit.shell import run; "
        f"atexit.register(lambda: print(sorted({HEAVY!r} & set(sys.modules)))); "
        f"[run('{plugin.target}', [option]) for option in ('--help', '--version', '--about')]"  # the last one exits
    )

    said = python(code)

    assert f"{plugin.name} v" in said
    assert said.splitlines()[-1] == "[]"
