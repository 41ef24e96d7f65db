"""`progress-sse demo`: jobs that run, on a page whose buttons cause faults.

A *supervisor* starts a *server* as a separate process, so that it can be restarted, and runs the *jobs*. Nothing of
this is part of `serve`.
"""
