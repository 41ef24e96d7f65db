"""Our own uvicorn: how it talks with its clients, for how long it waits for them, and how it goes down."""
