"""What tells a device from others: given by its agent, or made of what it tells."""

import hashlib

import orjson


def guid_of(site_id: str, hostname: str, guid: str | None = None, mac: str | None = None) -> str:
    """The guid of a device.

    The one given; else the SHA-256, in hex, of the compact JSON of MAC and site id; without a MAC that of host name
    and site id. Nothing is normalised: agents in the field compute the same.
    """
    if guid:
        return guid
    named = {"mac": mac} if mac else {"hostname": hostname}
    return hashlib.sha256(orjson.dumps({**named, "siteId": site_id})).hexdigest()
