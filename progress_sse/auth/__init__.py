"""Authorization and rate limits: tokens, tickets, cookies, and how often a caller may send requests."""
