"""singer-sdk's suite, which discovers at import to name its cases: run by test_standard.py, once a server is there."""

import os

from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_postgres.tap import TapPostgres

TestTapPostgres = get_tap_test_class(
    TapPostgres,
    config={"connection_url": os.environ["STANDARD_SUITE_DSN"], "output": os.environ["STANDARD_SUITE_OUTPUT"]},
    suite_config=SuiteConfig(max_records_limit=150),
)
