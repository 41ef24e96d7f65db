"""The HTTP API: routes, request models, endpoints, problems and their description."""
