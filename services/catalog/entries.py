"""The integrations that the product ships, one catalog for all tenants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

VERSION: Final = 2
"""The version of the catalog. A server with an earlier version never replaces the entries of a later one."""

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One entry of the catalog; `id` is its slug.

    Attributes:
        schedules: How often each action of an enabled data source runs, in seconds, by the action's name.
    """

    id: str
    name: str
    description: str
    category: str
    supported_types: tuple[str, ...]
    icon_url: str | None
    color: str | None
    level: str | None
    product_url: str | None
    config_schema: dict[str, Any] | None
    is_active: bool | None
    schedules: Mapping[str, int] = field(default_factory=dict)


def _declare_text(title: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "title": title, "minLength": 1, **more}


def _declare_secret(title: str) -> dict[str, Any]:
    return _declare_text(title, sensitive=True)


def _declare_url(title: str, example: str) -> dict[str, Any]:
    return _declare_text(title, format="uri", examples=[example])


def _declare_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [name for name, schema in properties.items() if "default" not in schema],
        "additionalProperties": False,
    }


CATALOG: Final = (
    CatalogEntry(
        id="halopsa",
        name="HaloPSA",
        description="Service desk: companies, assets and tickets.",
        category="psa",
        supported_types=("companies", "endpoints", "tickets"),
        icon_url="/icons/halopsa.svg",
        color="#ff3c3c",
        level="tenant",
        product_url="https://halopsa.com",
        config_schema=_declare_schema(
            url=_declare_url("Address of the instance", "https://msp.halopsa.example"),
            clientId=_declare_text("Client id"),
            clientSecret=_declare_secret("Client secret"),
            tenant={"type": "string", "title": "Hosted tenant", "default": ""},
        ),
        is_active=True,
        schedules={"sync.companies": _DAY, "sync.endpoints": _DAY, "sync.tickets": 15 * _MINUTE},
    ),
    CatalogEntry(
        id="sophos-partner",
        name="Sophos Central Partner",
        description="Endpoint protection and firewalls of every customer of a partner account.",
        category="security",
        supported_types=("sites", "endpoints", "firewalls"),
        icon_url="/icons/sophos-partner.svg",
        color="#005bc8",
        level="site",
        product_url="https://central.sophos.com",
        config_schema=_declare_schema(
            clientId=_declare_text("Client id"), clientSecret=_declare_secret("Client secret")
        ),
        is_active=True,
        schedules={"sync.sites": _DAY, "sync.endpoints": _HOUR, "sync.firewalls": _HOUR},
    ),
    CatalogEntry(
        id="microsoft-365",
        name="Microsoft 365",
        description="Identities, groups and licences of a customer's directory, through Microsoft Graph.",
        category="identity",
        supported_types=("identities", "groups", "licenses"),
        icon_url="/icons/microsoft-365.svg",
        color="#0078d4",
        level="site",
        product_url="https://admin.microsoft.com",
        config_schema=_declare_schema(
            directoryId=_declare_text("Directory (tenant) id", format="uuid"),
            clientId=_declare_text("Application (client) id", format="uuid"),
            clientSecret=_declare_secret("Client secret"),
        ),
        is_active=True,
        schedules={"sync.identities": _HOUR, "sync.groups": _DAY, "sync.licenses": _DAY},
    ),
    CatalogEntry(
        id="datto-rmm",
        name="Datto RMM",
        description="Remote monitoring and management: sites and devices.",
        category="rmm",
        supported_types=("sites", "endpoints"),
        icon_url="/icons/datto-rmm.svg",
        color="#199ed9",
        level="tenant",
        product_url="https://rmm.datto.com",
        config_schema=_declare_schema(
            url=_declare_url("API address", "https://pinotage-api.centrastage.example"),
            apiKey=_declare_text("API key"),
            apiSecretKey=_declare_secret("API secret key"),
        ),
        is_active=True,
        schedules={"sync.sites": _DAY, "sync.endpoints": _HOUR},
    ),
    CatalogEntry(
        id="autotask",
        name="Autotask",
        description="Service desk: companies and tickets. Being phased out: no new connections.",
        category="psa",
        supported_types=("companies", "tickets"),
        icon_url="/icons/autotask.svg",
        color="#e5621e",
        level="tenant",
        product_url="https://www.autotask.net",
        config_schema=_declare_schema(
            url=_declare_url("Zone address", "https://webservices6.autotask.example"),
            userName=_declare_text("User name"),
            secret=_declare_secret("Secret"),
            apiIntegrationCode=_declare_secret("Integration code"),
        ),
        is_active=False,
        schedules={"sync.companies": _DAY, "sync.tickets": 15 * _MINUTE},
    ),
    CatalogEntry(
        id="msp-agent",
        name="MSP agent",
        description="Our own agent on customers' devices: presence and tickets. Always on.",
        category="rmm",
        supported_types=("endpoints", "tickets"),
        icon_url="/icons/msp-agent.svg",
        color=None,
        level=None,
        product_url=None,
        config_schema=None,
        is_active=None,
    ),
)
