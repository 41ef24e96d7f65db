"""The client of a worker: it reports the progress of a job to a server, and never delays the job.

The parts, from the pure to the practical::

    lease                a worker's attempt at its steps, and how long it may be silent
    shared_attempts      the attempt that all reporters of a process have at a session
    reports              the reports of a job: the updates of the domain, the creation, and lines of a log
    exchange             the request of a report, its answer, and what readers ask in it
    codec                the HTTP form of requests and answers
    availability         whether a server answers, and when to send to it again
    count                a counter for many threads, without a lock
    operation            a report with what is needed to send it, also again
    thinned_lines        a flood of log lines, of which a second has a few
    log_texts            the lines of a text that a job logs
    request_room         the room for log lines in one request
    waiting_lines        the log lines of a session that wait
    waiting_reports      the reports of a session that wait, and their order
    created_run          the run that was created here, and the reports that make up its state
    replacements         what is sent in place of a refused report
    running_steps        the steps that run under a lease, and when each needs its next sign of life
    outage               how long the reports of a session have failed
    superseded_attempts  the attempts that a later one has replaced
    outbox               the unsent reports of one session: no I/O, no clock, no lock
    outbox_events        what happens to them, to log or raise
    own_log              the log of the client
    queue_errors         what goes wrong with the reports of a session: logged, or raised in the job
    config               the server and the session: arguments, then the environment
    errors               the errors of reporting, and the exception of a job that is cancelled
    inbox                the requests of a session's readers, as the job learns of them
    listening            which sessions' requests a process waits for
    mailbox              which reports of which sessions go in the next request to a server
    timetable            when each of many things is due next
    targets              where reports are sent to: a server, or a transport in its place
    report_sink          what receives the reports of a session: a queue, or nothing
    report_queue         one session's outbox in a process of many threads
    definitions          what a job says of its session: its steps, title, labels and links
    fit_details          a title, labels and links, as the server accepts them
    own_steps            the steps that a job has started itself
    session_reports      the reports on a session as a whole
    step_reports         the reports on a step
    part_reports         the reports on a part of a step
    handle               a job's objects: a reporter and its steps, alike in blocking and in async code
    loading              delays forks while the HTTP client is loaded
    own_requests         whether the code that runs now sends requests of our own
    http                 requests by httpx, whose types stay in there
    thread_listener      waits for the requests of readers in daemon threads
    thread_sender        sends every report: one daemon thread per process
    loops                the event loop of a job, as other threads use it
    cancel_scope         blocks of async code that a request to cancel ends
    loop_announcer       calls a job's callbacks with requests, on its event loop
    sync                 `Progress`
    aio                  `AsyncProgress`
    embedded             transports to a store in the same process, without HTTP
    testing              a recorder for the tests of a job

Only `embedded` imports the server. The HTTP client is imported with the first `Progress` that has
a server to report to.
"""
