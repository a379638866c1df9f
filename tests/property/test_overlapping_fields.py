"""Overlapping fields: the linear rule and graphql-core's rule agree on every document."""

import pytest
from graphql import parse, validate
from graphql.validation import (
    NoFragmentCyclesRule,
    NoUnusedFragmentsRule,
    OverlappingFieldsCanBeMergedRule,
)
from graphql.validation.rules import overlapping_fields_can_be_merged as original

from resolvers.limits.overlapping_fields import MergeableFieldsRule
from tests.property.overlapping_documents import SCHEMA, make_document

DOCUMENTS = 500
LEFT_TO_OTHERS = [NoFragmentCyclesRule, NoUnusedFragmentsRule]
"""These refuse what the linear rule does not compare."""


@pytest.fixture(autouse=True)
def _unlimited_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(original, "MAX_COMPLEXITY_BUDGET", 10**9)


@pytest.mark.parametrize("conflicts", [0.0, 0.01, 0.03, 0.1, 0.4])
def test_overlapping_fields_rule_on_random_documents_equals_graphql_core(conflicts: float) -> None:
    valid = 0
    for seed in range(DOCUMENTS):
        text = make_document(f"{seed} {conflicts}", conflicts=conflicts)
        syntax = parse(text)
        theirs = validate(SCHEMA, syntax, [OverlappingFieldsCanBeMergedRule, *LEFT_TO_OTHERS])
        ours = validate(SCHEMA, syntax, [MergeableFieldsRule, *LEFT_TO_OTHERS])
        assert bool(ours) is bool(theirs), f"{text}\n{theirs}\n{ours}"
        valid += not theirs
    assert 0.02 < valid / DOCUMENTS < 0.98, valid
