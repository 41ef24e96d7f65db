"""The endpoints by which an operator sees, tests and retries hooks. They show no path, query, header or secret."""

from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from progress_sse.api.replies import Reply, json_reply
from progress_sse.api.request_body import read_body
from progress_sse.api.session_models import HookTestBody, RetryBody
from progress_sse.core.errors import HookNotFoundError
from progress_sse.notices.schedule import Try
from progress_sse.service import ProgressService

if TYPE_CHECKING:
    from progress_sse.notices.sender import HookSender

MAX_BODY_CHARS: Final = 1024
"""Characters of a receiver's answer that a test shows."""


async def list_hooks(service: ProgressService, request: Request) -> Reply:
    """`GET /api/hooks`: each hook, what waits for it in the store, and the newest tries of this server."""
    await service.authorizer.check(request, "admin", None)
    hooks = []
    senders = {} if service.notifier is None else service.notifier.senders
    for name, sender in senders.items():
        waiting, dead = await sender.counts()
        tries = [{"at": past.at, "id": past.notice_id, **_shown(past.tried)} for past in reversed(sender.tries)]
        hooks.append(
            {
                "name": name,
                "origin": sender.hook.origin,
                "state": sender.state,
                "waiting": waiting,
                "dead": dead,
                "delivered": sender.results["delivered"],
                "failed": sender.results["failed"],
                "last_success": sender.last_success,
                "tries": tries,
            }
        )
    return json_reply({"hooks": hooks})


async def test(service: ProgressService, request: Request) -> Reply:
    """`POST /api/hooks/{hook}/test`: send one request, and show the answer."""
    await service.authorizer.check(request, "admin", None)
    await read_body(request, HookTestBody, service.body_limits)
    tried = await _commanded(service, request).test()
    return json_reply({**_shown(tried), "body": tried.body.decode(errors="replace")[:MAX_BODY_CHARS]})


async def retry(service: ProgressService, request: Request) -> Reply:
    """`POST /api/hooks/{hook}/retry`: let dead notices wait again, all or one."""
    await service.authorizer.check(request, "admin", None)
    body = await read_body(request, RetryBody, service.body_limits)
    return json_reply({"retried": await _commanded(service, request).retry(body.id)})


def _commanded(service: ProgressService, request: Request) -> "HookSender":
    if service.notifier is None:
        raise HookNotFoundError
    return service.notifier.commanded(request.path_params["hook"])


def _shown(tried: Try) -> dict[str, object]:
    result = {"status": tried.status} if tried.status else {"error": tried.error}
    return {**result, "duration_ms": tried.duration_ms}
