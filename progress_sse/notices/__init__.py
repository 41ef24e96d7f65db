"""Notices that outlive a session's page: who gets them, and how they are sent until they are delivered."""
