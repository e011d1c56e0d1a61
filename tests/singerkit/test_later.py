"""Heavy modules that singer-sdk imports are imported when they are called, and not before."""

from __future__ import annotations

import subprocess
import sys

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
