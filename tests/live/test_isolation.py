"""An id or position of another user's session gives no access to it."""

from tests.conftest import Serve
from tests.harness.rawsse import RawStream
from tests.harness.serving import Worker, events_path
from tests.harness.tokens import KEY, bearer, make_token

PUBLISH_TOKEN = "for-workers"
SECRET = "only-for-the-other-user"


async def test_a_position_in_another_users_session_reveals_nothing(serve: Serve) -> None:
    """SE-01: no id of that session, nor of a stream of both, reveals it in the caller's own stream, poll or update."""
    server = serve(read="token", token_key=KEY, publish_token=PUBLISH_TOKEN)
    both = "/api/events?session_id=mine&session_id=theirs"
    operator = list(bearer(PUBLISH_TOKEN).items())
    async with Worker.at(server, PUBLISH_TOKEN) as worker:
        for session_id, message in (("mine", "mine"), ("theirs", SECRET)):
            await worker.create(session_id, steps=[{"name": message}])
            await worker.start(session_id, 1)
        async with await RawStream.open(server.port, both, operator) as stream:
            await stream.next_events(2)
            of_both = stream.last_event_id
        tag = (await worker.poll_raw("theirs")).headers["etag"]
        of_theirs = tag.strip('"')
        poll = (await worker.poll_raw("mine")).content
    epoch = of_theirs.rpartition("-")[0]
    headers = list(bearer(make_token(sessions=["mine"], actions=["read", "publish"])).items())
    for last_event_id in (of_both, of_theirs, f"{epoch}-0", f"{epoch}-1000"):
        for target in (events_path("mine"), "/api/events?session_id=mine"):
            for query, header in ((None, last_event_id), (last_event_id, None)):
                separator = "&" if "?" in target else "?"
                address = target if query is None else f"{target}{separator}last_event_id={query}"
                async with await RawStream.open(server.port, address, headers, last_event_id=header) as stream:
                    if last_event_id == of_both and "?" in target:
                        await stream.wait_until(lambda stream: bool(stream.retries))
                    else:
                        assert ((await stream.next_event()).data or "").encode() == poll
                    assert SECRET.encode() not in stream.wire
                    assert epoch.encode() not in stream.wire
        async with await RawStream.open(server.port, both, headers, last_event_id=last_event_id) as stream:
            assert await stream.closed() == "end"
            assert stream.status == 403
            assert SECRET.encode() not in stream.wire
    async with Worker.at(server, headers[0][1].removeprefix("Bearer ")) as worker:
        assert (await worker.poll_raw("mine", **{"If-None-Match": tag})).content == poll
        refused = await worker.poll_raw("theirs", **{"If-None-Match": tag})
        assert refused.status_code == 403
        assert "etag" not in refused.headers
