"""The server process: uvicorn, its HTTP protocol, its limits, sockets and processes."""
