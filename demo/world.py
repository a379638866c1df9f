"""The objects of the demo that the tables' rows refer to.

Tenants, people, sites and data sources are kept in memory, since everything refers to them. Agents, entities
and jobs are many. They are generated for one tenant at a time and then dropped. Every age is in ms before the
demo's now. `deleted` is the age at deletion, None for a live row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from demo.seeded_random import SeededRandom, random_stream
from demo.sizes import SizePlan

Row: TypeAlias = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Role:
    """A role. All tenants may use it if `tenant_id` is None."""

    id: str
    tenant_id: str | None
    name: str
    description: str
    rights: tuple[str, ...]
    age: int
    deleted: int | None = None


@dataclass(slots=True, eq=False)
class User:
    """A user who may sign in."""

    id: str
    role: Role
    name: str
    email: str
    status: str
    age: int
    deleted: int | None


@dataclass(slots=True, eq=False)
class DemoDataSource:
    """A data source: either of one site, or of the tenant and mapped to `mapped_sites` sites."""

    id: str
    integration: str
    status: str
    age: int
    deleted: int | None
    site: "Site | None" = None
    external_id: str | None = None
    mapped_sites: list["Site"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Site:
    """A customer's site; `weight` is its share of all agents and entities."""

    id: str
    name: str
    slug: str
    prefix: str
    status: str
    age: int
    deleted: int | None
    weight: float
    psa_integration: str | None = None
    psa_company_id: str | None = None
    psa_parent_id: str | None = None
    agents: int = 0
    entities: int = 0
    sophos: DemoDataSource | None = None
    directory: DemoDataSource | None = None

    @property
    def domain(self) -> str:
        """The customer's mail domain."""
        return f"{self.slug}.example"


@dataclass(slots=True, eq=False)
class Tenant:
    """A managed service provider with its users, sites and data sources."""

    index: int
    id: str
    name: str
    slug: str
    status: str
    age: int
    deleted: int | None
    roles: list[Role] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    sources: list[DemoDataSource] = field(default_factory=list)
    deleted_agents: int = 0
    deleted_entities: int = 0

    def find_source(self, integration: str) -> DemoDataSource | None:
        """The live tenant-level data source of that integration."""
        of_tenant = (s for s in self.sources if s.integration == integration and s.site is None)
        return next((s for s in of_tenant if s.deleted is None), None)

    @property
    def psa_source(self) -> DemoDataSource:
        """The tenant's ticket system. Every tenant has one."""
        source = self.find_source("halopsa") or self.find_source("autotask")
        if source is None:
            raise LookupError(f"tenant {self.name} has no PSA")
        return source


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """One demo: its parameters, and its objects."""

    plan: SizePlan
    seed: int
    now: int
    roles: list[Role]
    tenants: list[Tenant]

    def random_stream(self, *path: object) -> SeededRandom:
        """The random stream of that path in this demo."""
        return random_stream(self.seed, *path)

    def ms_at(self, age: int | None) -> int | None:
        """The moment of an age, in ms since the epoch; None stays None."""
        return None if age is None else self.now - age

    def row_times(
        self, age: int, deleted: int | None = None, changed: int | None = None
    ) -> tuple[int, int, int | None]:
        """created_at, updated_at and deleted_at; `changed` is the age at the last change, if any."""
        changed = age if changed is None else changed
        return self.now - age, self.now - (changed if deleted is None else deleted), self.ms_at(deleted)


@dataclass(frozen=True, slots=True)
class DemoTable:
    """The rows of one table, generated on demand."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[DemoWorld], Iterator[Row]]


def demo_table(name: str, columns: str) -> Callable[[Callable[[DemoWorld], Iterator[Row]]], DemoTable]:
    """Make a generator function the source of a table's rows. `columns` names the positions of its tuples."""
    return lambda rows: DemoTable(name, tuple(columns.split()), rows)


def dump_json(value: Any) -> str:
    """A value as the text of a json column, with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
