"""An event or a time, whichever comes first. Knows no API server."""

from __future__ import annotations

import asyncio


async def wait_for(event: asyncio.Event, seconds: float | None) -> None:
    """Return when the event is set or ``seconds`` are over; None waits for the event alone."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
