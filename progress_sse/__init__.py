"""Live progress of multi-step jobs, pushed to browsers by Server-Sent Events."""
