"""The client of a worker: it reports the progress of a job to a server, and never delays the job.

The parts, from the pure to the practical::

    count            a counter for many threads, without a lock
    lease            a worker's attempt at its steps, and how long it may be silent
    reports          the reports of a job: the updates of the domain, the creation, and lines of a log
    definitions      a session as its job describes it
    exchange         a report to send, its request, and the answer with what readers ask in it
    codec            the HTTP form of requests and answers
    availability     whether a server answers, and when to send to it again
    waiting_lines    the log lines of a session that wait
    waiting_reports  the unsent reports of a session, and their order: for any thread, without a lock
    created_run      what is known of the run of a session
    outbox           the effects of the answers to the reports of a session
    outbox_events    outages and losses, for the job's log or as its errors
    own_log          the log of the client
    config           the server and the session: arguments, then the environment
    errors           the errors of reporting, and the exception of a job that is cancelled
    inbox            the requests of a session's readers, and the steps that they may concern
    loops            the event loop of a job, as other threads use it
    targets          where reports are sent to: a server, or a transport in its place
    listening        waits for the requests of readers
    report_queue     one session's outbox in a process of many threads
    mailbox          which reports of which sessions go in the next request to a server
    thread_sender    sends every report: one daemon thread per process
    session_reports  the reports on a session as a whole
    step_reports     the reports on a step, and on its parts
    handle           a job's objects: a reporter and its steps, alike in blocking and in async code
    cancel_scope     requests of readers on a job's event loop
    loading          delays forks while the HTTP client is loaded
    http             requests by httpx, whose types stay in there
    sync             `Progress`
    aio              `AsyncProgress`
    embedded         transports to a store in the same process, without HTTP
    testing          a recorder for the tests of a job

Only `embedded` imports the server. The HTTP client is imported with the first `Progress` that has
a server to report to.
"""
