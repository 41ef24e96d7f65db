"""Follows one stream with a client library of Python, as its documentation says, and prints the events that it yields.

usage: python drive.py <library> <url> <token> [<id of the last event>]

A library whose name ends in ` alone` runs without the option that docs/protocol.md names for it. Each event is a line
of JSON, `{"event", "data", "id"}`. A last line, `{"over"}`, comes when the library ends by itself: `stops` without an
error, or `raises`.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

Event = tuple[str | None, str, str | None]
"""Name, data and id."""


def follow_httpx_sse(url: str, headers: dict[str, str]) -> Iterator[Event]:
    """Follow by `connect_sse`, which reads one response."""
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client(timeout=None) as client, connect_sse(client, "GET", url, headers=headers) as source:  # noqa: S113
        for sse in source.iter_sse():
            yield sse.event, sse.data, sse.id


def follow_sseclient_py(url: str, headers: dict[str, str]) -> Iterator[Event]:
    """Follow by `SSEClient`, which reads a response of requests or urllib3."""
    import requests
    import sseclient

    with requests.get(url, headers=headers, stream=True) as response:  # noqa: S113
        for event in sseclient.SSEClient(response).events():
            yield event.event, event.data, event.id


def follow_requests_sse(url: str, headers: dict[str, str]) -> Iterator[Event]:
    """Follow by `EventSource`, which reconnects by itself."""
    from requests_sse import EventSource

    with EventSource(url, headers=headers, latest_event_id=headers.pop("Last-Event-ID", None)) as source:
        for event in source:
            yield event.type, event.data, event.last_event_id


def follow_launchdarkly_eventsource(url: str, headers: dict[str, str], *, is_alone: bool = False) -> Iterator[Event]:
    """Follow by `SSEClient`, which reconnects by itself if its error strategy says so."""
    from ld_eventsource import SSEClient
    from ld_eventsource.config import ConnectStrategy, ErrorStrategy

    last_event_id = headers.pop("Last-Event-ID", None)
    connect = ConnectStrategy.http(url, headers=headers)
    strategy = None if is_alone else ErrorStrategy.always_continue()
    # Each cut doubles its delay, unless the stream lasted for a minute.
    with SSEClient(connect, 0.1, error_strategy=strategy, last_event_id=last_event_id) as client:
        for event in client.events:
            yield event.event, event.data, event.last_event_id


async def follow_aiosseclient(url: str, headers: dict[str, str]) -> AsyncIterator[Event]:
    """Follow by `aiosseclient`, which reads one response."""
    from aiosseclient import aiosseclient

    async for event in aiosseclient(url, last_id=headers.pop("Last-Event-ID", None), headers=headers):
        yield event.event, event.data, event.id


async def follow_aiohttp_sse_client(url: str, headers: dict[str, str]) -> AsyncIterator[Event]:
    """Follow by `EventSource`, which reconnects by itself."""
    from aiohttp import ClientTimeout
    from aiohttp_sse_client.client import EventSource

    async with EventSource(url, headers=headers, timeout=ClientTimeout(total=None)) as source:
        async for event in source:
            yield event.type, event.data, event.last_event_id


LIBRARIES: dict[str, Callable[[str, dict[str, str]], Iterator[Event] | AsyncIterator[Event]]] = {
    "httpx-sse": follow_httpx_sse,
    "sseclient-py": follow_sseclient_py,
    "requests-sse": follow_requests_sse,
    "launchdarkly-eventsource": follow_launchdarkly_eventsource,
    "launchdarkly-eventsource alone": partial(follow_launchdarkly_eventsource, is_alone=True),
    "aiosseclient": follow_aiosseclient,
    "aiohttp-sse-client": follow_aiohttp_sse_client,
}


def print_line(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def print_event(event: Event) -> None:
    name, data, event_id = event
    print_line(event=name, data=data, id=event_id)


async def print_events(events: AsyncIterator[Event]) -> None:
    async for event in events:
        print_event(event)


def main(library: str, url: str, token: str, last_event_id: str = "") -> None:
    """Follow until the library ends."""
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    try:
        events = LIBRARIES[library](url, headers)
        if isinstance(events, Iterator):
            for event in events:
                print_event(event)
        else:
            asyncio.run(print_events(events))
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - the user of a library gets any of its exceptions
        print_line(over="raises", error=repr(error))
    else:
        print_line(over="stops")


if __name__ == "__main__":
    main(*sys.argv[1:])
