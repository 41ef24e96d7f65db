"""A sorted set of keys, compared with a sorted list."""

from hypothesis import given
from hypothesis import strategies as st

from progress_sse.store.memory_index import MAX_CHUNK, SortedKeys

KEYS = st.tuples(st.integers(0, 40), st.integers(0, 40))


@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=200), KEYS, KEYS)
def test_it_has_what_a_sorted_list_has(moves: list[tuple[bool, tuple[int, int]]], low: object, high: object) -> None:
    """Whatever was added and removed, in whatever order."""
    keys = SortedKeys[tuple[int, int]]()
    known = set[tuple[int, int]]()
    for adds, key in moves:
        if adds and key not in known:
            known.add(key)
            keys.add(key)
        elif not adds:
            known.discard(key)
            keys.remove(key)
    check(keys, sorted(known), low, high)


def check(keys: SortedKeys, known: list, low: object, high: object) -> None:  # type: ignore[type-arg]
    assert len(keys) == len(known)
    assert list(keys.below(None)) == known[::-1]
    assert list(keys.below(high)) == [key for key in known[::-1] if key < high]
    assert list(keys.between(low, high)) == [key for key in known if low <= key < high]
    assert list(keys.between(low, None)) == [key for key in known if low <= key]
    if low <= high:  # type: ignore[operator]
        assert keys.count_between(low, high) == sum(low <= key < high for key in known)


def test_it_holds_more_than_one_chunk() -> None:
    """Its chunks are split and go again."""
    keys = SortedKeys[tuple[int]]()
    count = 5 * MAX_CHUNK
    for number in range(count):
        keys.add((number * 7919 % count,))
    check(keys, [(number,) for number in range(count)], (1234,), (4321,))
    for number in range(0, count, 2):
        keys.remove((number,))
    check(keys, [(number,) for number in range(1, count, 2)], (1234,), (4321,))
    for number in range(count):
        keys.remove((number,))
    check(keys, [], (1,), (2,))
