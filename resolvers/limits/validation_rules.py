"""graphql-core's validation rules with a faster dispatch. Most rules have no method for most kinds of nodes.

For each document, graphql-core looks up each rule's methods again for each kind of node. This takes a third of the
validation.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Final

from graphql import GraphQLError, GraphQLInputType, ValueNode, Visitor, VisitorAction
from graphql.language.visitor import EnterLeaveVisitor
from graphql.utilities import validate_input_literal
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
    OverlappingFieldsCanBeMergedRule,
    PossibleFragmentSpreadsRule,
    StreamDirectiveOnListField,
    UniqueDirectivesPerLocationRule,
    UniqueFragmentNamesRule,
    UniqueVariableNamesRule,
    ValuesOfCorrectTypeRule,
    VariablesAreInputTypesRule,
    VariablesInAllowedPositionRule,
    specified_rules,
)

from core.limits import LITERAL_PRINTED_CHARS
from resolvers.limits.overlapping_fields import MergeableFieldsRule

_NO_METHODS: Final = EnterLeaveVisitor(None, None)


def _memoize_methods(rule: type[ASTValidationRule]) -> type[ASTValidationRule]:
    """The same rule with a cache of its methods, by kind of node."""

    @cache
    def names(kind: str) -> tuple[str | None, str | None]:
        return _find_method_name(rule, "enter", kind), _find_method_name(rule, "leave", kind)

    def get_enter_leave_for_kind(self: Visitor, kind: str) -> EnterLeaveVisitor:
        enter, leave = names(kind)
        if enter is None and leave is None:
            return _NO_METHODS
        return EnterLeaveVisitor(
            getattr(self, enter) if enter else None, getattr(self, leave) if leave else None
        )

    return type(rule.__name__, (rule,), {"get_enter_leave_for_kind": get_enter_leave_for_kind})


def _find_method_name(rule: type[ASTValidationRule], when: str, kind: str) -> str | None:
    """The name of a rule's method for a kind of node, found as graphql-core does."""
    return next((name for name in (f"{when}_{kind}", when) if getattr(rule, name, None)), None)


_RULES_BY_MARK: Final[Mapping[str, tuple[type[ASTValidationRule], ...]]] = {
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
"""Text that a document must contain if the rule is to find anything. The other rules always run."""

_MARK_OF: Final = {rule: mark for mark, rules in _RULES_BY_MARK.items() for rule in rules}


class _EnoughError(Exception):
    """Ends the check of a literal after its first error."""


class BriefValuesRule(ValuesOfCorrectTypeRule):
    """Values of correct type.

    It reports one error for a long literal, because graphql-core prints the literal in each error.
    """

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        """Check a literal."""
        location = node.loc
        if input_type is None or location is None or location.end - location.start <= LITERAL_PRINTED_CHARS:
            return super().is_valid_value_node(node, input_type)

        def on_error(error: GraphQLError, _path: list[str | int]) -> None:
            self.report_error(error)
            raise _EnoughError

        with suppress(_EnoughError):
            validate_input_literal(node, input_type, on_error, hide_suggestions=self.context.hide_suggestions)
        return self.SKIP


_REPLACED: Final[Mapping[type[ASTValidationRule], type[ASTValidationRule]]] = {
    OverlappingFieldsCanBeMergedRule: MergeableFieldsRule,
    ValuesOfCorrectTypeRule: BriefValuesRule,
}
"""The rules of graphql-core that take too long, each with its replacement."""

_RULES: Final = [
    (_memoize_methods(_REPLACED.get(rule, rule)), _MARK_OF.get(rule, ""))
    for rule in specified_rules
    if rule is not MaxIntrospectionDepthRule
]
"""The rules of the specification. `CostAnalyzer` limits introspection, and its error names the limit."""


def select_rules(text: str) -> list[type[ASTValidationRule]]:
    """The rules that may find an error in a document with this text.

    The rules on variables walk through the whole document once more. That takes a fifth of the time, even without
    variables.

    A search in the text is safe. A marked rule finds errors only where the document has a token with its mark, and
    the grammar has no escapes outside of strings. A mark in a string or a comment only runs a rule in vain. Searching
    the tree would take longer. `test_validation_rules_left_out_by_the_text_find_no_error` shows that it is safe.
    """
    return [rule for rule, mark in _RULES if mark in text]
