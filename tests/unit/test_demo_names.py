"""Slugs, and the names of tenants."""

import itertools

from services.demo import names
from services.demo.tenants import tenant_name, tenant_slug


def test_a_slug_is_ascii_without_marks():
    assert names.slug("Ünïcode GmbH", "x") == "unicode-gmbh"
    assert names.slug("Hollis & Sons, Old Town", "x") == "hollis-sons-old-town"


def test_a_name_without_ascii_letters_takes_the_other_slug():
    assert names.slug("日本テクノ株式会社", "site-7") == "site-7"


def test_a_hundred_tenants_are_all_called_differently():
    slugs = [tenant_slug(index) for index in range(92)]
    assert len(set(slugs)) == len(slugs)
    assert len({tenant_name(index) for index in range(92)}) == len(slugs)


def test_names_keep_what_is_not_ascii():
    everything = itertools.chain(names.MSP_NAMES, names.COMPANY_UNICODE, names.GROUPS, names.FAMILY_NAMES)
    assert any(not name.isascii() for name in everything)
    assert "日本テクノ株式会社" in names.COMPANY_UNICODE
