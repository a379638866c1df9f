"""`python -m tests.checks.collection` collects every test without running it.

It fails unless each module imports, each parameter is one of its test, and each fixture exists.
"""

import io
import re
import sys
from contextlib import redirect_stdout

import pytest

from tests.clusters import VERSIONS


class _FixtureCheck:
    """Fails the collection if a test takes a fixture that does not exist."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        missing = {
            f"{item.nodeid.partition('[')[0]}: {name}"
            for item in session.items
            if isinstance(item, pytest.Function)
            for name in item.fixturenames
            if name != "request" and name not in item._fixtureinfo.name2fixturedefs
        }
        if missing:
            raise pytest.UsageError("There is no such fixture:\n" + "\n".join(sorted(missing)))


def main() -> int:
    """Collect on one version of PostgreSQL, and print what fails."""
    options = ["-qq", "--collect-only", "--assert=plain", f"--postgres={max(VERSIONS)}"]
    output = io.StringIO()
    with redirect_stdout(output):
        code = pytest.main([*options, "tests"], plugins=[_FixtureCheck()])
    if code:
        print(re.sub(r"^\S+\.py: \d+\n", "", output.getvalue(), flags=re.MULTILINE))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
