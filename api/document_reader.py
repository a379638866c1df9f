"""Reads the documents of requests: cached ones at once, new ones in turn and within each caller's CPU budget."""

import asyncio
from collections import Counter
from collections.abc import Generator
from math import ceil
from time import perf_counter, thread_time
from typing import Final, Protocol

from graphql import GraphQLSchema

from api.caller import Caller
from core.cpu_budgets import CpuBudgets
from core.errors import RateLimitedError
from core.fair_lock import FairLock, pause_after
from core.limits import (
    ANONYMOUS_ADDRESS_CPU_BURST_S,
    ANONYMOUS_ADDRESS_CPU_SHARE,
    ANONYMOUS_CPU_BURST_S,
    ANONYMOUS_CPU_SHARE,
    ANONYMOUS_DOCUMENT_CHARS_MAX,
    ANONYMOUS_DOCUMENT_TOKENS_MAX,
    DOCUMENT_CPU_BURST_S,
)
from core.settings import Settings
from resolvers.documents.cache import Document, DocumentCache

_ANONYMOUS: Final = "anonymous"
_OVER_BUDGET: Final = (
    "New documents of this caller took too much CPU time to parse, validate and compile: retry after {} s. "
    "Send values as variables, because a document with the same text is validated once"
)
_QUEUE_IS_FULL: Final = "Too many new documents of this caller are waiting for validation"


class ValidationRecord(Protocol):
    """What the reader writes into the record of a request: the CPU seconds that its document took."""

    validation_s: float


class DocumentReader:
    """The documents of one server.

    Attributes:
        validated: How many documents were parsed and validated, by kind of caller.
        cpu_s: CPU seconds of that work and of compiling, by kind of caller.
        refused: How many requests exceeded a budget and were refused, by kind of caller.
        turns: The lock that orders validation.
    """

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        """Suggests names of the schema to anonymous callers only if they may use introspection."""
        self.validated: Counter[str] = Counter()
        self.cpu_s: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.turns = FairLock()
        self._known_documents = DocumentCache(schema)
        # A separate cache, so that anonymous callers cannot evict the documents of others.
        self._anonymous_documents = DocumentCache(
            schema,
            suggest_names=settings.introspection,
            chars_max=ANONYMOUS_DOCUMENT_CHARS_MAX,
            tokens_max=ANONYMOUS_DOCUMENT_TOKENS_MAX,
        )
        self._known = CpuBudgets(settings.document_cpu_share, DOCUMENT_CPU_BURST_S)
        self._addresses = CpuBudgets(ANONYMOUS_ADDRESS_CPU_SHARE, ANONYMOUS_ADDRESS_CPU_BURST_S)
        self._anonymous = CpuBudgets(ANONYMOUS_CPU_SHARE, ANONYMOUS_CPU_BURST_S)

    async def read(self, text: str, caller: Caller, record: ValidationRecord, share: str) -> Document:
        """The document of a text. A new one is charged to its caller, and `record` gets the time that it took.

        New documents are validated in turn between shares (see `core.fair_queue`).

        Raises:
            RateLimitedError: The caller's budget is used up, or too many of its documents wait.
        """
        documents = self._known_documents if caller.identity else self._anonymous_documents
        return documents.get_cached(text) or await self._validate_in_turn(
            documents, text, caller, record, share
        )

    async def _validate_in_turn(
        self, documents: DocumentCache, text: str, caller: Caller, record: ValidationRecord, share: str
    ) -> Document:
        self.require_budget(caller)
        turn = caller.name if caller.identity else _ANONYMOUS
        if self.turns.is_full(turn):
            self.refused[caller.kind] += 1
            raise RateLimitedError(_QUEUE_IS_FULL, 1)
        await self.turns.acquire(share, turn)
        elapsed_s = 0.0
        try:
            kept = documents.get_cached(text)  # another request may have added it meanwhile
            if kept is not None:
                return kept
            self.require_budget(caller)
            self.validated[caller.kind] += 1
            steps = documents.read(text)
            while True:
                began, began_cpu = perf_counter(), thread_time()
                document = _run_step(steps)
                elapsed_s, took_s = perf_counter() - began, thread_time() - began_cpu
                record.validation_s += took_s
                self.charge(caller, took_s)
                if document is not None:
                    return document
                await asyncio.sleep(pause_after(elapsed_s))
        finally:
            self.turns.release(share, elapsed_s)

    def require_budget(self, caller: Caller) -> None:
        """Check that the caller may send a new document.

        Raises:
            RateLimitedError: The budget is used up.
        """
        wait_s = self.wait_s(caller)
        if wait_s:
            self.refused[caller.kind] += 1
            raise RateLimitedError(_OVER_BUDGET.format(ceil(wait_s)), wait_s)

    def wait_s(self, caller: Caller) -> float:
        """Seconds until the caller may send a new document; 0 if it may now."""
        if caller.identity:
            return self._known.wait_s(caller.name)
        return max(self._anonymous.wait_s(_ANONYMOUS), self._addresses.wait_s(caller.name))

    def charge(self, caller: Caller, cpu_s: float) -> None:
        """Charge the CPU time of finished work."""
        self.cpu_s[caller.kind] += cpu_s  # type: ignore[assignment]  # seconds, although Counter expects integers
        if caller.identity:
            self._known.charge(caller.name, cpu_s)
        else:
            self._anonymous.charge(_ANONYMOUS, cpu_s)
            self._addresses.charge(caller.name, cpu_s)


def _run_step(steps: Generator[None, None, Document]) -> Document | None:
    try:
        next(steps)
    except StopIteration as end:
        document: Document = end.value
        return document
    return None
