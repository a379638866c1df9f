"""A cache that evicts its least recently used entries first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, ItemsView
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class LruCache(Generic[KeyT, ValueT]):
    """A cache with a limit on the number of its entries, on their total weight, or on both."""

    def __init__(
        self,
        entries_max: float = float("inf"),
        weight_max: float = float("inf"),
        *,
        weigh: Callable[[ValueT], int] = lambda _value: 0,
        on_evict: Callable[[KeyT, ValueT], object] = lambda _key, _value: None,
    ) -> None:
        """Limits; `weigh` must return the same weight of a value each time. `on_evict` is called beyond a limit."""
        self._entries: OrderedDict[KeyT, ValueT] = OrderedDict()
        self._entries_max = entries_max
        self._weight_max = weight_max
        self._weigh = weigh
        self._on_evict = on_evict
        self._weight = 0

    def get(self, key: KeyT) -> ValueT | None:
        """The value of a key, which is now the most recently used. None if it is not cached."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: KeyT, value: ValueT) -> None:
        """Cache a value, and evict the least recently used entries while the cache is over a limit."""
        self.pop(key)
        self._entries[key] = value
        self._weight += self._weigh(value)
        while len(self._entries) > self._entries_max or self._weight > self._weight_max:
            evicted_key, evicted = self._entries.popitem(last=False)
            self._weight -= self._weigh(evicted)
            self._on_evict(evicted_key, evicted)

    def pop(self, key: KeyT) -> ValueT | None:
        """Remove an entry and return its value. None if it is not cached."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
        return value

    @property
    def weight(self) -> int:
        """The weight of all entries."""
        return self._weight

    def items(self) -> ItemsView[KeyT, ValueT]:
        """All entries. The least recently used is first."""
        return self._entries.items()

    def __len__(self) -> int:
        return len(self._entries)
