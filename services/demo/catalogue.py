"""The integrations' catalogue: one for all tenants."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.demo.dice import DAY
from services.demo.world import Demo, Row, document, table


@dataclass(frozen=True, slots=True)
class Integration:
    """One entry of the catalogue; `id` is its slug."""

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


def _text(title: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "title": title, "minLength": 1, **more}


def _secret(title: str) -> dict[str, Any]:
    return _text(title, sensitive=True)


def _url(title: str, example: str) -> dict[str, Any]:
    return _text(title, format="uri", examples=[example])


def _schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": [name for name, schema in properties.items() if "default" not in schema],
        "additionalProperties": False,
    }


CATALOGUE: Final = (
    Integration(
        id="halopsa",
        name="HaloPSA",
        description="Service desk: companies, assets and tickets.",
        category="psa",
        supported_types=("companies", "endpoints", "tickets"),
        icon_url="/icons/halopsa.svg",
        color="#ff3c3c",
        level="tenant",
        product_url="https://halopsa.com",
        config_schema=_schema(
            url=_url("Address of the instance", "https://msp.halopsa.example"),
            clientId=_text("Client id"),
            clientSecret=_secret("Client secret"),
            tenant=_text("Hosted tenant", default=""),
        ),
        is_active=True,
    ),
    Integration(
        id="sophos-partner",
        name="Sophos Central Partner",
        description="Endpoint protection and firewalls of every customer of a partner account.",
        category="security",
        supported_types=("sites", "endpoints", "firewalls"),
        icon_url="/icons/sophos-partner.svg",
        color="#005bc8",
        level="site",
        product_url="https://central.sophos.com",
        config_schema=_schema(clientId=_text("Client id"), clientSecret=_secret("Client secret")),
        is_active=True,
    ),
    Integration(
        id="microsoft-365",
        name="Microsoft 365",
        description="Identities, groups and licences of a customer's directory, through Microsoft Graph.",
        category="identity",
        supported_types=("identities", "groups", "licenses"),
        icon_url="/icons/microsoft-365.svg",
        color="#0078d4",
        level="site",
        product_url="https://admin.microsoft.com",
        config_schema=_schema(
            directoryId=_text("Directory (tenant) id", format="uuid"),
            clientId=_text("Application (client) id", format="uuid"),
            clientSecret=_secret("Client secret"),
        ),
        is_active=True,
    ),
    Integration(
        id="datto-rmm",
        name="Datto RMM",
        description="Remote monitoring and management: sites and devices.",
        category="rmm",
        supported_types=("sites", "endpoints"),
        icon_url=None,
        color="#199ed9",
        level="tenant",
        product_url="https://rmm.datto.com",
        config_schema=_schema(
            url=_url("API address", "https://pinotage-api.centrastage.example"),
            apiKey=_text("API key"),
            apiSecretKey=_secret("API secret key"),
        ),
        is_active=True,
    ),
    Integration(
        id="autotask",
        name="Autotask",
        description="Service desk: companies and tickets. Being phased out: no new connections.",
        category="psa",
        supported_types=("companies", "tickets"),
        icon_url="/icons/autotask.svg",
        color="#e5621e",
        level="tenant",
        product_url="https://www.autotask.net",
        config_schema=_schema(
            url=_url("Zone address", "https://webservices6.autotask.example"),
            userName=_text("User name"),
            secret=_secret("Secret"),
            apiIntegrationCode=_secret("Integration code"),
        ),
        is_active=False,
    ),
    Integration(
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


@table(
    "integrations",
    "id name description category supported_types icon_url color level product_url config_schema is_active"
    " created_at updated_at",
)
def integrations(demo: Demo) -> Iterator[Row]:
    """The catalogue as it stands."""
    for age, entry in enumerate(CATALOGUE, start=1200):
        yield (
            entry.id, entry.name, entry.description, entry.category, list(entry.supported_types),
            entry.icon_url, entry.color, entry.level, entry.product_url,
            entry.config_schema and document(entry.config_schema), entry.is_active,
            *demo.times(age * DAY)[:2],
        )  # fmt: skip
