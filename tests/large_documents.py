"""Documents that are large in one way: the standard introspection query, nested values, many fragments."""

from graphql import get_introspection_query


def write_operations(count: int) -> str:
    return " ".join(f"query Q{number} {{ viewer {{ kind }} }}" for number in range(count))


def write_doubling_fragments(levels: int, below: str = "kind") -> str:
    """A fragment that spreads another one twice, which ...; stands for 2 ** levels fields."""
    chain = "".join(f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels))
    return f"{{ viewer {{ ...F0 }} }} {chain} fragment F{levels} on Viewer {{ {below} }}"


def write_fragment_mesh(size: int) -> str:
    """Fragments that each spread all those behind them."""
    every = (" ".join(f"...F{n}" for n in range(m + 1, size)) for m in range(size))
    return "{ viewer { ...F0 } }" + "".join(
        f"fragment F{m} on Viewer {{ kind {s} }}" for m, s in enumerate(every)
    )


HOSTILE = {
    "doubling fragments": write_doubling_fragments(20),
    "many doublings": write_doubling_fragments(60),
    "doubling below the limit": write_doubling_fragments(11),
    "fivefold": "{ viewer { ...F0 } }" + "".join(
        f"fragment F{n} on Viewer {{ {f'...F{n + 1} ' * 5} }}" for n in range(100)
    ) + "fragment F100 on Viewer { kind }",
    "nothing inside": write_doubling_fragments(40, ""),
    "mesh": write_fragment_mesh(40),
    "conditions": "query($a: Boolean!, $b: Boolean!) { viewer { ...F0 } }" + "".join(
        f"fragment F{n} on Viewer {{ ...F{n + 1} @skip(if: $a) ...F{n + 1} @skip(if: $b) }}" for n in range(10)
    ) + "fragment F10 on Viewer { kind }",
    "one field often": "{ sites { nodes {" + "name " * 4_900 + "} } }",
    "one list often": "{" + "sites(first: 1) { nodes { name } }" * 400 + "}",
    "one list in many ways": "{" + "".join(f"sites(first: {n}) {{ nodes {{ name }} }}" for n in range(400)) + "}",
    "filters to compare": "{" + 'sites(where: {and: [{name: {eq: "a"}}]}) { totalCount }' * 200 + "}",
    "unknown fields": "{ sites { nodes {" + "".join(f"nam{n} " for n in range(4_900)) + "} } }",
    "unknown arguments": "{ sites(" + "".join(f"frst{n}: 1 " for n in range(1_600)) + ") { totalCount } }",
    "unknown inputs": "{ sites(where: {" + "".join(f"nam{n}: 1 " for n in range(1_600)) + "}) { totalCount } }",
    "unknown types": "{ sites {" + "".join(f"... on Site{n} {{ id }} " for n in range(800)) + "} }",
    "unused variables": "query(" + "".join(f"$v{n}: Int " for n in range(1_200)) + ") { viewer { kind } }",
    "many operations": write_operations(700),
    "a long name": "{" + "a" * 99_000 + "}",
    "a long text": '{ site(id: "' + "a" * 99_000 + '") { id } }',
    "quotes": '{ site(id: ' + '"' * 99_000 + ") { id } }",
    "an open block": '{ site(id: """' + '\\"""' * 24_000,
    "backslashes": '{ site(id: "' + "\\" * 99_000,
    "comments": "{ viewer { kind } }" + "#" * 99_000,
    "commas": "{ viewer { kind } }" + "," * 99_000,
    "a list": "{ sites(where: {name: {in: [" + '"a" ' * 4_900 + "]}}) { totalCount } }",
    "a wrong list": "{ sites(where: {name: {in: [" + "1 " * 4_900 + "]}}) { totalCount } }",
    "deep lists": "{ sites(where: " + "[" * 2_000 + "]" * 2_000 + ") { totalCount } }",
    "deep inputs": "{ sites(where: " + "{not: " * 1_600 + "{}" + "}" * 1_600 + ") { totalCount } }",
    "inputs as deep as may be": "{ sites(where: " + "{not: " * 61 + "{}" + "}" * 61 + ") { totalCount } }",
    "brackets alone": "{" * 100_000,
}  # fmt: skip


def nest_value(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = [value, 2] if level % 2 else {"a": value, "b": 2}
    return value


STANDARD = {
    "least": get_introspection_query(descriptions=False),
    "all": get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True,
        input_value_deprecation=True, one_of=True,
    ),
}  # fmt: skip
