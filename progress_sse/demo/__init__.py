"""`progress-sse demo`: sessions that move, on a page where one can break things and watch.

A *supervisor* starts a *server* as a process of its own, so that it can be restarted, and runs the *jobs*, which report
by HTTP as any worker does. What breaks things is in *faults*. Nothing of this is part of `serve`.
"""
