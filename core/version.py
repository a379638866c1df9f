"""The version of the product."""

from typing import Final

VERSION: Final = "0.2.0"
"""As in pyproject.toml, which is not installed with the code everywhere."""
