"""singer-sdk's suite, which discovers at import to name its cases: run by test_executable.py, once a server up."""

import json
import os

from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_example.tap import TapExample

TestTapExample = get_tap_test_class(
    TapExample,
    config=json.loads(os.environ["STANDARD_SUITE_CONFIG"]),
    suite_config=SuiteConfig(max_records_limit=150),
)
