"""The documents of each vendor's API, as far as the product reads them, and their normalized form."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from demo.names import (
    FAMILY_NAMES,
    GIVEN_NAMES,
    GROUPS,
    HOST_KINDS,
    LICENSES,
    OPERATING_SYSTEMS,
    TICKETS,
    split_ascii_words,
)
from demo.seeded_random import DAY, HOUR, MINUTE, SeededRandom
from demo.vendor_entities import VendorEntity

Document: TypeAlias = dict[str, Any]
Pair: TypeAlias = tuple[Document, Document]

_ASCII: Final = {name: "-".join(split_ascii_words(name)).lower() for name in (*GIVEN_NAMES, *FAMILY_NAMES)}
_OS_OF: Final = {"MB": "macos", "KIOSK": "linux", "SRV": "server", "DC": "server"}
_SOPHOS_PRODUCTS: Final = ("coreAgent", "interceptX", "endpointProtection")


def build_documents(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    """An entity's raw document in its vendor's form, and its normalized form."""
    return _WRITERS[thing.source.integration, thing.kind](dice, thing, now)


def _format_time(ms: int) -> str:
    """A moment in the vendors' format."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _make_halo_company(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    del now
    raw = {
        "id": int(thing.external_id),
        "name": thing.name,
        "client_id": int(thing.parent or thing.external_id),
        "clientsite_name": thing.name,
        "inactive": dice.happens(0.05),
        "timezone": "Europe/Berlin",
    }
    return raw, {"name": thing.name, "externalParentId": thing.parent}


def _make_halo_asset(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    normalized = _make_device(dice, thing, now)
    raw = {
        "id": int(thing.external_id),
        "inventory_number": normalized["hostname"],
        "site_name": thing.site.name if thing.site else None,
        "assettype_name": dice.choice(("Laptop", "Workstation", "Server")),
        "inactive": False,
        "datto_id": None,
    }
    return raw, normalized


def _make_halo_ticket(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    normalized = _make_ticket_summary(dice, thing, now)
    raw = {
        "id": int(thing.external_id),
        "summary": normalized["summary"],
        "status_id": dice.randrange(1, 10),
        "priority_id": normalized["priority"],
        "site_id": thing.site.psa_company_id if thing.site else None,
        "dateoccurred": _format_time(now - thing.age),
    }
    return raw, normalized


def _make_autotask_company(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    raw = {
        "id": int(thing.external_id),
        "companyName": thing.name,
        "parentCompanyID": thing.parent and int(thing.parent),
        "isActive": dice.happens(0.95),
        "lastActivityDate": _format_time(now - dice.random_age(HOUR, 9 * DAY)),
    }
    return raw, {"name": thing.name, "externalParentId": thing.parent}


def _make_autotask_ticket(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    normalized = _make_ticket_summary(dice, thing, now)
    raw = {
        "id": int(thing.external_id),
        "ticketNumber": f"T20260101.{int(thing.external_id) % 10_000:04d}",
        "title": normalized["summary"],
        "status": dice.choice((1, 5, 8)),
        "priority": normalized["priority"],
        "lastTrackedModifiedDateTime": _format_time(now - dice.random_age(0, thing.age)),
    }
    return raw, normalized


def _make_ticket_summary(dice: SeededRandom, thing: VendorEntity, now: int) -> Document:
    return {
        "summary": dice.choice(TICKETS),
        "status": dice.choice(("new", "in progress", "waiting", "closed", "closed", "closed")),
        "priority": dice.randrange(1, 5),
        "openedAt": now - thing.age,
    }


def _make_device(dice: SeededRandom, thing: VendorEntity, now: int) -> Document:
    """The normalized form of an endpoint. It has the host name that our agent there may have as well."""
    kind = dice.choice(HOST_KINDS)
    online = dice.happens(0.8)
    return {
        "hostname": f"{thing.site.prefix if thing.site else 'HOST'}-{kind}-{thing.name}",
        "os": dice.choice(OPERATING_SYSTEMS[_OS_OF.get(kind, "windows")]),
        "ipAddresses": [f"10.{dice.randrange(256)}.{dice.randrange(4)}.{dice.randrange(1, 255)}"],
        "macAddresses": ["02:" + dice.randbytes(5).hex(":")],
        "online": online,
        "lastSeenAt": now - (dice.random_age(MINUTE, HOUR) if online else dice.random_age(HOUR, 30 * DAY)),
    }


def _make_sophos_site(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    del now
    region = dice.choice(("eu01", "us03", "ca01"))
    raw = {
        "id": thing.external_id,
        "name": thing.name,
        "showAs": thing.name,
        "apiHost": f"https://api-{region}.central.sophos.example",
        "dataRegion": region,
        "status": "active",
        "billingType": dice.choice(("usage", "term", "trial")),
    }
    return raw, {"name": thing.name}


def _make_sophos_endpoint(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    normalized = _make_device(dice, thing, now)
    health = dice.choices(("good", "suspicious", "bad"), (92, 5, 3))[0]
    raw = {
        "id": thing.external_id,
        "type": "server" if "Server" in normalized["os"] else "computer",
        "hostname": normalized["hostname"],
        "os": {"name": normalized["os"], "isServer": "Server" in normalized["os"]},
        "health": {"overall": health, "threats": {"status": health}, "services": {"status": "good"}},
        "online": normalized["online"],
        "lastSeenAt": _format_time(normalized["lastSeenAt"]),
        "ipv4Addresses": normalized["ipAddresses"],
        "macAddresses": normalized["macAddresses"],
        "assignedProducts": [{"code": code, "status": "installed"} for code in _SOPHOS_PRODUCTS],
        "tamperProtectionEnabled": dice.happens(0.97),
    }
    return raw, normalized


def _make_sophos_firewall(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    hostname = f"{thing.site.prefix if thing.site else 'HOST'}-FW-{thing.name}"
    firmware = dice.choice(("SFOS 21.0.1", "SFOS 21.0.0", "SFOS 20.0.3"))
    online = dice.happens(0.95)
    raw = {
        "id": thing.external_id,
        "hostname": hostname,
        "serialNumber": f"X{dice.randrange(10**12):012d}",
        "firmwareVersion": firmware,
        "status": {"connected": online, "suspended": False},
        "stateChangedAt": _format_time(now - thing.age // 2),
    }
    return raw, {"hostname": hostname, "firmware": firmware, "online": online}


def _make_identity(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    given, family = dice.choice(GIVEN_NAMES), dice.choice(FAMILY_NAMES)
    domain = thing.site.domain if thing.site else "directory.example"
    email = f"{_ASCII[given]}.{_ASCII[family]}{int(thing.name)}@{domain}"
    seen = now - dice.random_age(MINUTE, 60 * DAY) if dice.happens(0.9) else None
    kind, enabled = ("guest", True) if dice.happens(0.06) else ("member", dice.happens(0.94))
    raw = {
        "id": thing.external_id,
        "displayName": f"{given} {family}",
        "userPrincipalName": email,
        "mail": email,
        "accountEnabled": enabled,
        "userType": kind.capitalize(),
        "signInActivity": {"lastSignInDateTime": seen and _format_time(seen)},
    }
    return raw, {
        "displayName": raw["displayName"],
        "email": email,
        "enabled": enabled,
        "type": kind,
        "lastSignInAt": seen,
    }


def _make_group(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    del now
    name = dice.choice(GROUPS)
    kind = dice.choice(("security", "microsoft365", "distribution"))
    raw = {
        "id": thing.external_id,
        "displayName": name,
        "groupTypes": ["Unified"] if kind == "microsoft365" else [],
        "securityEnabled": kind == "security",
        "mailEnabled": kind != "security",
    }
    return raw, {"name": name, "type": kind}


def _make_license(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    del now
    sku, name = dice.choice(LICENSES)
    total = dice.choice((5, 10, 25, 50, 100))
    used = dice.randrange(total + 1)
    raw = {
        "id": thing.external_id,
        "skuPartNumber": sku,
        "prepaidUnits": {"enabled": total, "suspended": 0, "warning": 0},
        "consumedUnits": used,
    }
    return raw, {"name": name, "total": total, "used": used}


def _make_datto_site(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    del now
    raw = {
        "uid": thing.external_id,
        "name": thing.name,
        "onDemand": False,
        "devicesCount": dice.randrange(200),
    }
    return raw, {"name": thing.name}


def _make_datto_device(dice: SeededRandom, thing: VendorEntity, now: int) -> Pair:
    normalized = _make_device(dice, thing, now)
    raw = {
        "uid": thing.external_id,
        "hostname": normalized["hostname"],
        "operatingSystem": normalized["os"],
        "online": normalized["online"],
        "lastSeen": normalized["lastSeenAt"],
        "intIpAddress": normalized["ipAddresses"][0],
        "extIpAddress": f"198.51.100.{dice.randrange(1, 255)}",
        "udf": {"udf1": None},
    }
    return raw, normalized


_WRITERS: Final[dict[tuple[str, str], Callable[[SeededRandom, VendorEntity, int], Pair]]] = {
    ("halopsa", "companies"): _make_halo_company,
    ("halopsa", "endpoints"): _make_halo_asset,
    ("halopsa", "tickets"): _make_halo_ticket,
    ("autotask", "companies"): _make_autotask_company,
    ("autotask", "tickets"): _make_autotask_ticket,
    ("sophos-partner", "sites"): _make_sophos_site,
    ("sophos-partner", "endpoints"): _make_sophos_endpoint,
    ("sophos-partner", "firewalls"): _make_sophos_firewall,
    ("microsoft-365", "identities"): _make_identity,
    ("microsoft-365", "groups"): _make_group,
    ("microsoft-365", "licenses"): _make_license,
    ("datto-rmm", "sites"): _make_datto_site,
    ("datto-rmm", "endpoints"): _make_datto_device,
}
