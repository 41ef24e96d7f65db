"""`progress-sse demo`: moving sessions on a page whose buttons cause faults.

A *supervisor* starts a *server* as a separate process, so that it can be restarted, and runs the *jobs*, which report
by HTTP as any worker does. The faults are in *faults*. Nothing of this is part of `serve`.
"""
