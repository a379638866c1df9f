"""Slugs, and the names of tenants."""

import itertools

from demo import names
from demo.tenants import tenant_name, tenant_slug


def test_slug_of_accented_name_is_plain_ascii() -> None:
    assert names.to_slug("Ünïcode GmbH", "x") == "unicode-gmbh"
    assert names.to_slug("Hollis & Sons, Old Town", "x") == "hollis-sons-old-town"


def test_slug_of_name_without_ascii_is_the_fallback() -> None:
    assert names.to_slug("日本テクノ株式会社", "site-7") == "site-7"


def test_tenant_names_and_slugs_of_92_tenants_are_unique() -> None:
    slugs = [tenant_slug(index) for index in range(92)]
    assert len(set(slugs)) == len(slugs)
    assert len({tenant_name(index) for index in range(92)}) == len(slugs)


def test_demo_names_include_non_ascii() -> None:
    everything = itertools.chain(names.MSP_NAMES, names.COMPANY_UNICODE, names.GROUPS, names.FAMILY_NAMES)
    assert any(not name.isascii() for name in everything)
    assert "日本テクノ株式会社" in names.COMPANY_UNICODE
