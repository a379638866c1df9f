"""The structure of `subscriptions/`: small constructors, no wiring after construction, no `isinstance` on objects."""

import ast
from collections.abc import Iterator
from typing import Final, TypeGuard

import pytest

from tests.checks.sources import definitions, parse_module, tracked_files

MODULES: Final = tracked_files("subscriptions/*.py")
WIRED: Final = (*MODULES, *tracked_files("api/*.py", "commands/*.py"))
"""Modules that build their objects with everything that these need, and assign nothing to them later."""
VALUES: Final = {"RunFailure", "Close"}
"""Classes of results and of parsed messages. They are data, so `isinstance` may tell them apart."""


PARAMETERS_MAX: Final = 7


@pytest.mark.parametrize("path", MODULES)
def test_constructors_have_few_parameters(path: str) -> None:
    everywhere = [class_ for module in MODULES for class_ in _classes(module)]
    counted = {class_.name: len(_constructor_parameters(class_, everywhere)) for class_ in _classes(path)}
    assert {name: count for name, count in counted.items() if count > PARAMETERS_MAX} == {}


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("    def __init__(self, a, *b, c=1, **d): ...", 4),
        ("    a: int\n    b: int = field(default=0)\n    c: int = field(default=0, init=False)", 2),
        ("    a: ClassVar[int] = 1\n    b: int", 1),
        ("    a: int\n    def __init__(self): ...", 0),
    ],
)
def test_constructor_parameters_are_counted_without_self_and_fields_without_init(
    body: str, count: int
) -> None:
    class_ = ast.parse(f"@dataclass(slots=True)\nclass Counted:\n{body}").body[0]
    assert isinstance(class_, ast.ClassDef)
    assert len(_constructor_parameters(class_, [class_])) == count


@pytest.mark.parametrize("path", WIRED)
def test_module_assigns_no_function_to_an_attribute_of_another_object(path: str) -> None:
    assert not list(_late_wirings(path))


@pytest.mark.parametrize("path", MODULES)
def test_module_passes_no_lambda_that_reads_the_present_object(path: str) -> None:
    lambdas = (node for node in ast.walk(parse_module(path)) if isinstance(node, ast.Lambda))
    assert not [ast.unparse(node) for node in lambdas if _is_attribute_of_self(node.body)]


def test_modules_distinguish_no_live_objects_by_isinstance() -> None:
    classes = {class_.name for path in MODULES for class_ in _classes(path)}
    assert {"SharedQuery", "Subscription", "Listener", "WatchedPrincipal"} <= classes
    assert not [found for path in MODULES for found in _isinstance_calls(path, classes - VALUES)]


def _classes(path: str) -> list[ast.ClassDef]:
    return [node for node in definitions(path) if isinstance(node, ast.ClassDef)]


def _constructor_parameters(class_: ast.ClassDef, classes: list[ast.ClassDef]) -> list[str]:
    """The parameters of a constructor, or the fields of a dataclass or named tuple that are parameters of it."""
    for node in class_.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            of = node.args
            named = [*of.posonlyargs, *of.args, *of.kwonlyargs, *filter(None, (of.vararg, of.kwarg))]
            return [argument.arg for argument in named][1:]
    bases = [ast.unparse(base) for base in class_.bases]
    if (
        not any("dataclass" in ast.unparse(decorator) for decorator in class_.decorator_list)
        and "NamedTuple" not in bases
    ):
        return []
    inherited = [
        name for base in classes if base.name in bases for name in _constructor_parameters(base, classes)
    ]
    return inherited + [ast.unparse(node.target) for node in class_.body if _is_parameter(node)]


def _is_parameter(node: ast.stmt) -> TypeGuard[ast.AnnAssign]:
    return (
        isinstance(node, ast.AnnAssign)
        and "ClassVar" not in ast.unparse(node.annotation)
        and not (node.value is not None and "init=False" in ast.unparse(node.value))
    )


def _isinstance_calls(path: str, classes: set[str]) -> Iterator[str]:
    """Calls of `isinstance` or `issubclass` that name one of these classes."""
    for call in (node for node in ast.walk(parse_module(path)) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in {"isinstance", "issubclass"}:
            named = {node.id for node in ast.walk(call.args[1]) if isinstance(node, ast.Name)}
            if named & classes:
                yield f"{path}: {ast.unparse(call)}"


def _late_wirings(path: str) -> Iterator[str]:
    """Assignments of a lambda to an attribute, and of an own method to another object's attribute."""
    for class_ in (node for node in ast.walk(parse_module(path)) if isinstance(node, ast.ClassDef)):
        methods = {
            node.name for node in class_.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for node in ast.walk(class_):
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            attributes = [target for target in targets if isinstance(target, ast.Attribute)]
            own = _is_attribute_of_self(node.value) and node.value.attr in methods
            foreign = any(not _is_attribute_of_self(target) for target in attributes)
            if attributes and (isinstance(node.value, ast.Lambda) or (own and foreign)):
                yield ast.unparse(node)


def _is_attribute_of_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
