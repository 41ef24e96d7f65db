"""The worker's side: reports the progress of a job to a server, and never holds the job up.

The parts, from the pure to the practical::

    reports        what a job reports: create, start, advance, complete
    exchange       a report on its way, and its answer
    codec          both as HTTP carries them
    availability   whether a server answers, and when to ask it again
    count          a number to which threads add without a lock
    outbox         the reports of a session that are still to be sent: no I/O, no clock, no lock
    config         the server and the session: arguments, then the environment
    schedule       which of many sessions sends next
    report_queue   one session's outbox in a process of many threads, and the log of its troubles
    handle         a job's objects: a reporter and its steps, alike in blocking and in async code
    loading        holds off forks while the HTTP client is loaded
    http           requests by httpx, whose types stay in there
    sync           `Progress`: one daemon thread per process
    aio            `AsyncProgress`: a task for each request
    embedded       both over a store in the same process, without HTTP
    testing        a recorder, for the tests of a job

Nothing in here but `embedded` imports the server, and importing it imports no HTTP client: that comes with the first
`Progress` that has somewhere to report to.
"""
