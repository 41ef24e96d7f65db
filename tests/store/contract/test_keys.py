"""How every backend stores idempotency keys."""

from progress_sse.store.backend import FullBackend
from progress_sse.store.redis.backend import RedisBackend
from tests.store.changes import T0, after, apply, created, key, moved, removed
from tests.store.conftest import OpenBackend


class TestFindIdempotencyKey:
    """`find_idempotency_key`: one of the newest `history` keys of a session id."""

    async def test_it_returns_stored_keys(self, backend: FullBackend) -> None:
        """The keys came with a transition or alone."""
        record = await apply(backend, created(keys=[key("a")]), moved(after(created()), 1, keys=[key("b", "other")]))
        await backend.commit(moved(record, keys=[key("c")]))
        assert await backend.load("s") == record
        assert await backend.find_idempotency_key("s", "a") == key("a")
        assert await backend.find_idempotency_key("s", "b") == key("b", "other")
        assert await backend.find_idempotency_key("s", "c") == key("c")

    async def test_it_returns_none_for_unknown_keys(self, backend: FullBackend) -> None:
        """Each session has its own keys, and keys are compared exactly."""
        await apply(backend, created(keys=[key("Key *")]), created("other"))
        assert await backend.find_idempotency_key("other", "Key *") is None
        assert await backend.find_idempotency_key("unknown", "Key *") is None
        for name in ("key *", "Key", "Key %", "Key * "):
            assert await backend.find_idempotency_key("s", name) is None

    async def test_the_newest_keys_are_stored(self, open_backend: OpenBackend) -> None:
        """A key that is used again counts as new, and replaces an older one."""
        backend = await open_backend(history=3)
        record = await apply(backend, created(keys=[key("a"), key("b"), key("c")]))
        await backend.commit(moved(record, keys=[key("a", "again", former_use=T0)]))
        await backend.commit(moved(record, keys=[key("d")]))
        found = [await backend.find_idempotency_key("s", name) for name in "abcd"]
        assert found == [key("a", "again"), None, key("c"), key("d")]
        await backend.commit(moved(record, keys=[key(name) for name in "efgh"]))
        found = [await backend.find_idempotency_key("s", name) for name in "acdefgh"]
        assert found == [None] * 4 + [key(name) for name in "fgh"]

    async def test_the_newest_keys_of_all_epochs_are_stored(self, open_backend: OpenBackend) -> None:
        """The keys of an id are counted across its epochs."""
        backend = await open_backend(history=3)
        for number in range(5):
            record = await apply(backend, created(epoch=f"e{number}", keys=[key(f"k{number}")]))
            await backend.commit(removed(record))
        kept = [await backend.find_idempotency_key("s", f"k{number}") for number in range(5)]
        assert kept == [None, None, key("k2"), key("k3"), key("k4")]

    async def test_keys_of_removed_sessions_are_limited(self, open_backend: OpenBackend) -> None:
        """They stay until sessions removed later have left enough; a session that exists again keeps its own."""
        backend = await open_backend(orphaned_keys=4)

        async def kept() -> str:
            both = [
                (await backend.find_idempotency_key(name, "1"), await backend.find_idempotency_key(name, "2"))
                for name in "abcd"
            ]
            assert set(both) <= {(None, None), (key("1"), key("2"))}
            return "".join(name for name, (one, _) in zip("abcd", both, strict=True) if one)

        records = [await apply(backend, created(name, keys=[key("1"), key("2")])) for name in "abcd"]
        for record in records[:3]:
            await backend.commit(removed(record))
        assert await kept() == "bcd"
        again = await apply(backend, created("b"))
        await backend.commit(removed(records[3]))
        assert await kept() in ("bcd", "bd")  # The place of a session that exists again may stay empty for a while.
        await backend.commit(removed(again))
        assert await kept() == "bd"
        for name, count, of_e in (("e", 9, key("0")), ("f", 3, key("0")), ("g", 1, None)):
            record = await apply(backend, created(name, keys=[key(str(number)) for number in range(count)]))
            await backend.commit(removed(record))
            assert await kept() == ""
            assert await backend.find_idempotency_key("e", "0") == of_e
        assert [await backend.find_idempotency_key(name, "0") for name in "fg"] == [key("0")] * 2


class TestForgetKeys:
    """`forget_keys`: keys that no longer count are deleted."""

    async def test_ids_whose_last_use_is_old_lose_their_keys(self, backend: FullBackend) -> None:
        """Even if the session exists; an id with a later use keeps all. Redis expires keys by its own clock."""
        old, new = key("k"), key("new", used_at=T0.replace("2026", "2027"))
        for name in ("there", "gone", "used"):
            await apply(backend, created(name, keys=[old]))
        await backend.commit(removed(after(created("gone"))))
        await backend.commit(moved(after(created("used")), 1, keys=[new]))
        await backend.forget_keys(T0)
        assert [await backend.find_idempotency_key(name, "k") for name in ("there", "gone", "used")] == [old] * 3
        await backend.forget_keys(T0.replace(":05.", ":06."))
        kept = [await backend.find_idempotency_key(name, "k") for name in ("there", "gone", "used")]
        assert kept == ([old] * 3 if isinstance(backend, RedisBackend) else [None, None, old])
        assert await backend.find_idempotency_key("used", "new") == new
        await apply(backend, created("gone"), created("others", keys=[old]))
        assert await backend.load("there") is not None

    async def test_ids_without_stored_keys_are_skipped(self, open_backend: OpenBackend) -> None:
        """A store without history stores no keys either."""
        backend = await open_backend(history=0)
        record = await apply(backend, created(keys=[key("k")]))
        await backend.forget_keys(T0.replace("2026", "2027"))
        assert await backend.find_idempotency_key("s", "k") is None
        await backend.commit(removed(record))
        await backend.forget_keys(T0.replace("2026", "2027"))
