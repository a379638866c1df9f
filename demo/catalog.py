"""The catalog of integrations, which all tenants share."""

from collections.abc import Iterator

from demo.seeded_random import DAY
from demo.world import DemoWorld, Row, demo_table, dump_json
from services.catalog.entries import CATALOG
from services.configs.written_order import add_written_order


@demo_table(
    "integrations",
    "id name description category supported_types icon_url color level product_url config_schema is_active"
    " created_at updated_at",
)
def integrations(demo: DemoWorld) -> Iterator[Row]:
    """The rows of the catalog. Those that the database has already stay as they are."""
    for age, entry in enumerate(CATALOG, start=1200):
        yield (
            entry.id, entry.name, entry.description, entry.category, list(entry.supported_types),
            entry.icon_url, entry.color, entry.level, entry.product_url,
            entry.config_schema and dump_json(add_written_order(entry.config_schema)), entry.is_active,
            *demo.row_times(age * DAY)[:2],
        )  # fmt: skip
