"""The two ways to answer a root field: a compiled statement, or graphql-core and the data loaders."""

from enum import StrEnum


class ExecutionStrategy(StrEnum):
    """How root fields run.

    AUTO compiles if possible, COMPILED refuses an operation that is not compiled as a whole.
    """

    AUTO = "auto"
    COMPILED = "compiled"
    LOADERS = "loaders"
