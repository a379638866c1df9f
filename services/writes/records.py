"""All that may be written, by table."""

from collections.abc import Mapping
from typing import Final

from services.writes.record import Record
from services.writes.sites import SITES

RECORDS: Final[Mapping[str, Record]] = {record.table: record for record in (SITES,)}
"""The records by their table."""
