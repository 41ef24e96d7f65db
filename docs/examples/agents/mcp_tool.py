"""Shows the job of an MCP tool: a page for the user at once, and its percentage for the client that waits."""

import asyncio
from uuid import uuid4

from mcp.server.mcpserver import Context, MCPServer

from progress_sse import AsyncProgress
from progress_sse.bridges.agents import mirror

server = MCPServer("photos")
jobs: set[asyncio.Task[None]] = set()


@server.tool()
async def publish_photos(photos: list[str]) -> str:
    """Publish photos in the background. Show the user the page that this returns at once."""
    progress = AsyncProgress(f"photos-{uuid4()}", open_ended=True)
    job = asyncio.create_task(publish(progress, photos))
    jobs.add(job)
    job.add_done_callback(jobs.discard)
    return f"{progress.link} shows the session {progress.session_id}"


@server.tool()
async def wait_for_photos(session_id: str, context: Context) -> str:
    """Wait until the photos of a session are published."""
    return await mirror(session_id, context.report_progress) or "published"


async def publish(progress: AsyncProgress, photos: list[str]) -> None:
    """Do the job of the tool: each photo is a step."""
    async with progress:
        progress.plan(photos)
        for number, photo in enumerate(photos, 1):
            with progress.step(number):
                await upload(photo)


async def upload(photo: str) -> None:
    """Upload a photo."""
    await asyncio.sleep(1)


if __name__ == "__main__":
    server.run()
