"""The client of a worker: it reports the progress of a job to a server, and never delays the job.

The parts, from the pure to the practical::

    reports          the reports of a job: create, start, advance, complete
    exchange         the request of a report, and its answer
    codec            the HTTP form of both
    availability     whether a server answers, and when to send to it again
    count            a counter for many threads, without a lock
    waiting_reports  the reports of a session that wait, and their order
    outbox           the unsent reports of one session: no I/O, no clock, no lock
    config           the server and the session: arguments, then the environment
    errors           the errors of reporting
    schedule         which of many sessions sends next
    report_queue     one session's outbox in a process of many threads, and the log of its errors
    handle           a job's objects: a reporter and its steps, alike in blocking and in async code
    loading          delays forks while the HTTP client is loaded
    http             requests by httpx, whose types stay in there
    thread_sender    sends for every `Progress`: one daemon thread per process
    loop_sender      sends for every `AsyncProgress` of an event loop: a task for each request
    sync             `Progress`
    aio              `AsyncProgress`
    embedded         transports to a store in the same process, without HTTP
    testing          a recorder for the tests of a job

Only `embedded` imports the server. The HTTP client is imported with the first `Progress` that has a server to report
to.
"""
