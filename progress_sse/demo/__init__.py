"""`progress-sse demo`: jobs that run, on a page whose buttons cause faults.

A *supervisor* starts a *server* as a separate process, so that it can be restarted, and runs the *jobs*, which report
by `AsyncProgress` as any job in Python does. The faults are in *faults*. Nothing of this is part of `serve`. The jobs::

    agent    finds its steps while it runs, and writes a log
    export   may be cancelled; its last step fails, and is tried again
    film     has a step of many parts, of which some fail
    load     has a profile, so that the server learns how long it takes

What they have in common is in *job*.
"""
