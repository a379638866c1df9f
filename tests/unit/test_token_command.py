"""The command `print_token`: what it prints where."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from commands.tokens import print_token
from core.settings import Settings


def test_print_token_platform_prints_token_on_stdout_and_id_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_token(Settings(data_dir=tmp_path, demo=True), None, 60)
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    claims = line.split(".")[1]
    token_id = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]
    assert printed.err.strip().endswith(token_id)
    assert line not in printed.err
