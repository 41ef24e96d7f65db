"""Small tools of asyncio and the standard library that know nothing of progress."""
