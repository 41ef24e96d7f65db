"""The cache of records."""

import sys

import pytest

from progress_sse.store.record_cache import RecordCache, estimated_bytes
from tests.store.changes import after, created, moved


class TestRecordCache:
    """`RecordCache` alone."""

    def test_the_least_recently_used_record_is_evicted(self) -> None:
        """Records count by their size."""
        records = {name: after(moved(after(created(name)), 1, message="x" * 10_000)) for name in "abcd"}
        size = estimated_bytes(records["a"])
        cache = RecordCache(3 * size)
        for name in "abc":
            cache.put(name, records[name])
        assert cache.get("a") is records["a"]
        cache.put("d", records["d"])
        assert [cache.get(name) for name in "abcd"] == [records["a"], None, records["c"], records["d"]]

    @pytest.mark.parametrize("char", ["x", "é", "進", "😀"])
    def test_estimate_covers_text_in_every_script(self, char: str) -> None:
        """No text takes more memory than the estimate, even after it was shown."""
        records = [after(moved(after(created()), 1, message=char * length)) for length in (1, 10_000)]
        sizes = [len(each.body) + sys.getsizeof(each.session.progress.steps[1].message) for each in records]
        assert estimated_bytes(records[1]) - estimated_bytes(records[0]) >= sizes[1] - sizes[0]

    def test_counts_each_session_once(self) -> None:
        """A record that is put again replaces its former one; a dropped one frees its room."""
        small, large = after(created()), after(moved(after(created()), 1, message="x" * 10_000))
        cache = RecordCache(estimated_bytes(large) + estimated_bytes(small))
        for _ in range(10):
            cache.put("s", large)
            cache.put("s", small)
        cache.put("t", large)
        assert cache.get("s") is small
        cache.drop("s")
        cache.drop("unknown")
        cache.put("u", small)
        assert cache.get("s") is None
        assert cache.get("t") is large

    def test_drop_unused_evicts_what_was_not_used_since_the_last_call(self) -> None:
        """A record used between two calls stays at the second call, and goes at the third."""
        record = after(created())
        cache = RecordCache()
        for name in ("unused", "read", "written"):
            cache.put(name, record)
        cache.drop_unused()
        assert cache.get("read") is record
        cache.put("written", record)
        cache.put("new", record)
        cache.drop_unused()
        kept = [name for name in ("unused", "read", "written", "new") if cache.get(name) is not None]
        assert kept == ["read", "written", "new"]
        for _ in range(2):
            cache.drop_unused()
        assert cache.get("read") is None

    def test_one_oversized_record_is_kept(self) -> None:
        """The latest one is kept, and it evicts no other record."""
        small, large = after(created()), after(moved(after(created()), 1, message="x" * 10_000))
        cache = RecordCache(2 * estimated_bytes(small))
        for name, record in (("a", small), ("b", large), ("c", large), ("d", small)):
            cache.put(name, record)
        assert [cache.get(name) for name in "abcd"] == [small, None, large, small]
        cache.put("c", small)
        assert cache.get("c") is small
