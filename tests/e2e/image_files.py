"""A copy of the files that the image of the server has."""

import re
import shutil
from pathlib import Path
from typing import Final

from tests.e2e.servers import ROOT

DEPLOY: Final = ROOT / "deploy"


def copy_image(target: Path) -> Path:
    """Run the COPY steps of the image's last stage into an empty directory, as .dockerignore permits."""
    steps = (DEPLOY / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    permitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    for source, destination in re.findall(r"^COPY (?!--from)(\S+) (\S+)$", steps, re.MULTILINE):
        assert source in permitted
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target / destination, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target / destination)
    return target / "server.py"
