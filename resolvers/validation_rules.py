"""graphql-core's rules of validation, quicker to ask: most of them have nothing to say about most kinds of nodes.

graphql-core looks each rule's methods up anew for each kind of node in each document: a third of validating one.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from graphql import Visitor
from graphql.language.visitor import EnterLeaveVisitor
from graphql.validation import (
    ASTValidationRule,
    DeferStreamDirectiveLabel,
    DeferStreamDirectiveOnRootField,
    DeferStreamDirectiveOnValidOperationsRule,
    KnownDirectivesRule,
    KnownFragmentNamesRule,
    MaxIntrospectionDepthRule,
    NoFragmentCyclesRule,
    NoUndefinedVariablesRule,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    PossibleFragmentSpreadsRule,
    StreamDirectiveOnListField,
    UniqueDirectivesPerLocationRule,
    UniqueFragmentNamesRule,
    UniqueVariableNamesRule,
    VariablesAreInputTypesRule,
    VariablesInAllowedPositionRule,
    specified_rules,
)

_SILENT: Final = EnterLeaveVisitor(None, None)


def _quick(rule: type[ASTValidationRule]) -> type[ASTValidationRule]:
    """The same rule, which remembers for what kinds of nodes it has methods."""

    @cache
    def names(kind: str) -> tuple[str | None, str | None]:
        return _method(rule, "enter", kind), _method(rule, "leave", kind)

    def get_enter_leave_for_kind(self: Visitor, kind: str) -> EnterLeaveVisitor:
        enter, leave = names(kind)
        if enter is None and leave is None:
            return _SILENT
        return EnterLeaveVisitor(
            getattr(self, enter) if enter else None, getattr(self, leave) if leave else None
        )

    return type(rule.__name__, (rule,), {"get_enter_leave_for_kind": get_enter_leave_for_kind})


def _method(rule: type[ASTValidationRule], when: str, kind: str) -> str | None:
    """The name of the method that a rule has for a kind of node, as graphql-core finds it."""
    return next((name for name in (f"{when}_{kind}", when) if getattr(rule, name, None)), None)


_MARKS: Final[Mapping[str, tuple[type[ASTValidationRule], ...]]] = {
    "$": (
        NoUndefinedVariablesRule,
        NoUnusedVariablesRule,
        UniqueVariableNamesRule,
        VariablesAreInputTypesRule,
        VariablesInAllowedPositionRule,
    ),
    "@": (
        DeferStreamDirectiveLabel,
        DeferStreamDirectiveOnRootField,
        DeferStreamDirectiveOnValidOperationsRule,
        KnownDirectivesRule,
        StreamDirectiveOnListField,
        UniqueDirectivesPerLocationRule,
    ),
    "...": (KnownFragmentNamesRule, PossibleFragmentSpreadsRule),
    "fragment": (NoFragmentCyclesRule, NoUnusedFragmentsRule, UniqueFragmentNamesRule),
}
"""What a document must have in it somewhere for a rule to find anything; for the others nothing is needed."""

_MARK_OF: Final = {rule: mark for mark, rules in _MARKS.items() for rule in rules}

_RULES: Final = [
    (_quick(rule), _MARK_OF.get(rule, ""))
    for rule in specified_rules
    if rule is not MaxIntrospectionDepthRule
]
"""Those that the specification has; `CostReader` bounds introspection, and says by how much."""


def rules_for(text: str) -> list[type[ASTValidationRule]]:
    """The rules that may find something in a document of that text.

    Those on variables walk through all of it once more, with or without variables: a fifth of the time.
    """
    return [rule for rule, mark in _RULES if mark in text]
