"""The executable `tap-rest`: singer-sdk's command line, and two verbs that write manifests."""

from __future__ import annotations

import sys
from typing import NoReturn

from singerkit import shell


def main() -> NoReturn:
    """Run a verb where one is named, else the tap."""
    verbs = {"infer", "import-openapi"}
    plugin = "tap_rest.verbs:Verbs" if verbs & {*sys.argv[1:2]} else "tap_rest.tap:TapRest"
    shell.main(plugin)


if __name__ == "__main__":
    main()
