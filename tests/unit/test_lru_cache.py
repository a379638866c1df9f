"""The LRU cache: its order of eviction, and its limits by number and by weight."""

from core.lru_cache import LruCache


def test_lru_cache_over_its_number_evicts_the_least_recently_used() -> None:
    cache: LruCache[str, int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert list(cache.items()) == [("a", 1), ("c", 3)]
    assert cache.get("b") is None


def test_lru_cache_entry_put_again_is_the_most_recently_used() -> None:
    cache: LruCache[str, int] = LruCache(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        cache.put(key, value)
    assert list(cache.items()) == [("a", 3), ("c", 4)]


def test_lru_cache_over_its_weight_evicts_until_it_fits() -> None:
    evicted: list[int] = []
    cache: LruCache[str, int] = LruCache(
        weight_max=10, weigh=int, on_evict=lambda _, value: evicted.append(value)
    )
    for key, value in (("a", 4), ("b", 5), ("c", 1)):
        cache.put(key, value)
    assert (cache.weight, evicted) == (10, [])
    cache.put("d", 6)
    assert (cache.weight, evicted) == (7, [4, 5])
    cache.put("d", 9)
    assert (cache.weight, len(cache)) == (10, 2)


def test_lru_cache_too_heavy_entry_is_not_kept() -> None:
    cache: LruCache[str, int] = LruCache(weight_max=10, weigh=int)
    cache.put("a", 11)
    assert (cache.weight, len(cache)) == (0, 0)


def test_lru_cache_removed_entry_weighs_nothing_and_is_not_evicted() -> None:
    evicted: list[int] = []
    cache: LruCache[str, int] = LruCache(
        weight_max=10, weigh=int, on_evict=lambda _, value: evicted.append(value)
    )
    cache.put("a", 4)
    assert cache.pop("a") == 4
    assert cache.pop("a") is None
    assert (cache.weight, evicted) == (0, [])
