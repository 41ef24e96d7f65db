"""The description of the HTTP API. Nothing here is imported before somebody asks for it."""
