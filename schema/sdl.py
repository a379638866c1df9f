"""The schema in the schema definition language, committed so that a review shows every change of the API.

`python -m schema.sdl` writes `schema/schema.graphql`. With `--check` it fails if that file differs from the schema.
"""

import sys
from pathlib import Path
from typing import Final

from schema.build import build_schema

SDL: Final = Path(__file__).with_name("schema.graphql")


def main(arguments: list[str]) -> int:
    """Write the SDL, or compare it; returns the process's exit status."""
    text = build_schema().as_str() + "\n"
    if "--check" not in arguments:
        SDL.write_text(text, encoding="utf-8")
        return 0
    if SDL.exists() and SDL.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{SDL} is out of date: run `python -m schema.sdl` and commit it.\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
