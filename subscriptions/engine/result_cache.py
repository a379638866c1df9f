"""The cache of answers: each open shared query keeps its latest answer, with the text while there is room. No I/O."""

from collections.abc import Iterable

from core.limits import LIVE_RESULTS_CACHED_CHARS_MAX
from subscriptions.engine.query_result import QueryResult
from subscriptions.engine.shared_query import SharedQuery


class ResultCache:
    """Stores the answers of shared queries.

    Attributes:
        chars: The characters of all kept texts.
    """

    def __init__(self) -> None:
        self.chars = 0

    def store(self, shared: SharedQuery, result: QueryResult) -> None:
        """Store the answer of a run. An equal answer replaces the present one only if its text was evicted."""
        if shared.result is not None:
            if shared.result.digest == result.digest and shared.result.body is not None:
                return
            self.chars -= shared.result.size
        shared.set_result(result)
        self.chars += result.size

    def evict(self, shared: SharedQuery) -> None:
        """Evict the text of a sent answer if all kept texts exceed their limit. Its digest stays."""
        if shared.result is not None and self.chars > LIVE_RESULTS_CACHED_CHARS_MAX:
            self.chars -= shared.result.size
            shared.result = shared.result.without_body()

    def remove(self, shared: SharedQuery) -> None:
        """Free the room of a closed query."""
        self.chars -= shared.result.size if shared.result else 0

    def validate(self, shared_queries: Iterable[SharedQuery]) -> None:
        """Check the number of characters against all open queries.

        Raises:
            AssertionError: It is wrong.
        """
        if self.chars != sum(shared.result.size for shared in shared_queries if shared.result):
            raise AssertionError("the size of the kept answers is wrong")
