"""The worker's side: reports the progress of a job to a server, and never holds the job up.

The parts, from the pure to the practical::

    reports    what there is to tell: create, start, advance, complete
    count      a number to which threads add without a lock
    core       what to send next, what an answer means, when to try again: no I/O, no clock, no lock
    config     where to: arguments, then the environment
    schedule   whose turn it is, of many sessions
    line       one session's core in a process of many threads, and what becomes of its troubles
    handle     what a job holds: a reporter and its steps, alike in blocking and in async code
    loading    holds off forks while the HTTP client is loaded
    http       requests by httpx, whose types stay in there
    sync       `Progress`: one daemon thread per process
    aio        `AsyncProgress`: a task for each request
    embedded   both over a store in the same process, without HTTP
    testing    a recorder, for the tests of a job

Nothing in here but `embedded` imports the server, and importing it imports no HTTP client: that comes with the first
`Progress` that has somewhere to report to.
"""
