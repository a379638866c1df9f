"""Random documents with overlapping fields: one response key for several fields, arguments, types and shapes."""

from random import Random
from typing import Final

from graphql import GraphQLSchema, build_schema

SCHEMA: Final[GraphQLSchema] = build_schema(
    """
    directive @stream(initialCount: Int) on FIELD
    interface Node { id: ID! other: Node next(first: Int, where: Where): Node list: [Node] }
    input Where { name: String in: [Int!] not: Where }
    enum Color { RED GREEN }
    type A implements Node {
      id: ID! other: Node next(first: Int, where: Where): Node list: [Node] b: B must: B! many: [A!]! text: String
      count: Int color: Color any: Any texts: [String] textsMust: [String]!
    }
    type B implements Node {
      id: ID! other: Node next(first: Int, where: Where): Node list: [Node] b: A must: A! many: [B!]! text: Int
      count: Int! color: Color any: Any texts: [[String]] textsMust: [String!]!
    }
    type C { a: A node: Node any: Any text: String count: Int }
    union Any = A | B | C
    type Query { a(x: Int): A b: B c: C node: Node any: Any list: [Any] }
    """
)
"""Interfaces that lead to themselves, unions, and fields of one name with different shapes."""

_TYPES: Final = ("Query", "A", "B", "C", "Node", "Any", "Missing", "Color")
_FIELDS: Final = (
    *(
        "id",
        "other",
        "next",
        "list",
        "b",
        "must",
        "many",
        "text",
        "count",
        "color",
        "any",
        "texts",
        "textsMust",
    ),
    *("a", "node", "missing", "__typename"),
)
_BELOW: Final = frozenset({"other", "next", "list", "b", "must", "many", "any", "a", "node", "c", "__schema"})
_VALUES: Final = (
    *("1", "2", "1.0", "true", "null", "RED", '"1"', '"""1"""', "[1]", "[1, 2]", "[2, 1]", "$v", "$w", "{}"),
    *('{name: "a", in: [1]}', '{in: [1], name: "a"}', "{not: {name: $v}}", "{not: {name: $w}}"),
)
_NAMES: Final = ("F", "G", "H", "I")


def make_document(seed: object, *, conflicts: float = 0.2) -> str:
    """The document of a seed; one part in `conflicts` of its fields takes another key, field or argument."""
    random = Random(str(seed))  # noqa: S311 - tests are to be repeatable
    names = _NAMES[: random.randint(0, len(_NAMES))]
    writing = _DocumentWriter(random, names, conflicts)
    operations = [
        f"query Q{number} {writing.write_selection_set(1)}" for number in range(random.choice((1, 1, 1, 2)))
    ]
    fragments = [
        f"fragment {name} on {random.choice(_TYPES)} {writing.write_selection_set(2, names[number + 1 :])}"
        for number, name in enumerate(names)
    ]
    return "\n".join((*operations, *fragments))


class _DocumentWriter:
    def __init__(self, random: Random, names: tuple[str, ...], conflicts: float) -> None:
        self._random = random
        self._names = names
        self._conflicts = conflicts

    def write_selection_set(self, depth: int, spreads: tuple[str, ...] | None = None) -> str:
        """A selection set; it spreads these, or all fragments, and now and then one that closes a circle."""
        random = self._random
        inner = spreads
        if spreads is None or random.random() < 0.03:
            spreads = self._names
        parts = [self._write_selection(depth, spreads, inner) for _ in range(random.choice((1, 1, 2, 2, 3)))]
        return "{ " + " ".join(parts) + " }"

    def _write_selection(self, depth: int, spreads: tuple[str, ...], inner: tuple[str, ...] | None) -> str:
        random = self._random
        chosen = random.random()
        if chosen < 0.2 and spreads:
            return f"...{random.choice(spreads)}"
        if chosen < 0.35 and depth < 4:
            on = f" on {random.choice(_TYPES)}" if random.random() < 0.85 else ""
            return f"...{on} {self.write_selection_set(depth + 1, inner)}"
        return self._write_field(depth, inner)

    def _write_field(self, depth: int, inner: tuple[str, ...] | None) -> str:
        random = self._random
        name = random.choice(_FIELDS if random.random() < 0.5 else ("a", "b", "next", "other", "text"))
        if depth >= 4 and name in _BELOW:
            name = "text"
        text = name
        if random.random() < self._conflicts:
            text = f"{random.choice(('k', 'a', 'text', name))}: {name}"
        if random.random() < self._conflicts / 2:
            text += f"(x: {random.choice(_VALUES)})" if random.random() < 0.7 else "(x: 1, y: 2)"
        if random.random() < 0.01:
            text += " @stream"
        return f"{text} {self.write_selection_set(depth + 1, inner)}" if name in _BELOW else text
