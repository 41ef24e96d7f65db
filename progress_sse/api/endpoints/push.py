"""The endpoints by which a browser subscribes to the end of a session. No answer has an endpoint of a vendor."""

from typing import TYPE_CHECKING

from starlette.requests import Request

from progress_sse.api.replies import UNCACHED, Reply, json_reply
from progress_sse.api.request_body import read_body
from progress_sse.api.request_parts import session_id_of
from progress_sse.api.session_models import PushBody
from progress_sse.auth.authorizer import caller_of
from progress_sse.auth.cookies import is_by_link
from progress_sse.core.commands import Unsubscribe
from progress_sse.core.errors import PathNotFoundError, SessionNotFoundError
from progress_sse.core.subscriptions import Subscription, has_expired
from progress_sse.service import ProgressService

if TYPE_CHECKING:
    from progress_sse.notices.push import Push


def _push_of(service: ProgressService) -> "Push":
    if service.notifier is None or service.notifier.push is None:
        raise PathNotFoundError("This server offers no push.")
    return service.notifier.push


async def offer(service: ProgressService, _request: Request) -> Reply:
    """`GET /api/push`: the key that browsers subscribe to; 404 where push is off."""
    return json_reply({"key": _push_of(service).key.public})


async def subscribe(service: ProgressService, request: Request) -> Reply:
    """`PUT /api/progress/{session_id}/push`: notify a browser for as long as its reader may read."""
    session_id = session_id_of(request)
    token, expires_at = await service.authorizer.check(request, "read", session_id)
    body = await read_body(request, PushBody, service.body_limits)
    push = _push_of(service)
    push.check(body.endpoint, body.keys.p256dh, body.keys.auth)
    subscription = Subscription(
        push.key.id_of(session_id, body.endpoint),
        body.endpoint,
        body.keys.p256dh,
        body.keys.auth,
        body.language or "",
        push.key.id_of(caller_of(request, token)),
        is_by_link(request),
        expires_at,
    )
    await push.subscribe(session_id, subscription)
    return json_reply({"id": subscription.id})


async def find(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}/push/{subscription_id}`: 204 while it holds, else 404."""
    _push_of(service)
    session_id = session_id_of(request)
    wanted = request.path_params["subscription_id"]
    await service.authorizer.check(request, "read", session_id)
    record = await service.store.load(session_id)
    subscriptions = () if record is None else record.session.details.subscriptions
    if all(each.id != wanted or has_expired(each, service.clock.now()) for each in subscriptions):
        raise SessionNotFoundError("There is no such subscription.")
    return Reply(204, UNCACHED)


async def end(service: ProgressService, request: Request) -> Reply:
    """`DELETE /api/progress/{session_id}/push/{subscription_id}`: notify the browser no more."""
    _push_of(service)
    session_id = session_id_of(request)
    ended = request.path_params["subscription_id"]
    await service.authorizer.check(request, "read", session_id)
    await service.store.apply(session_id, Unsubscribe(ended))
    return Reply(204, UNCACHED)
