"""The client of a worker: it reports the progress of a job to a server, and never delays the job.

The parts, from the pure to the practical::

    reports, exchange, codec     what a job reports, requests and answers, and their bytes
    attempt, definitions         a worker's attempt at its steps, and a session as its job describes it
    waiting_*, outbox            the unsent reports of one session, and their order
    forks                        the order of the reports of a process and of one that it forks
    created_run, availability    what is sent again to a server that lost a session, or was away
    mailbox                      which reports of which sessions go in the next request to a server
    inbox, listening             what readers ask of the job
    report_queue, thread_sender  every report of a process, by one daemon thread
    targets, http, embedded      where reports go: a transport, a server, or a store in the same process
    steps, reporter, sync, aio   a job's objects: `Progress`, `AsyncProgress` and their steps
    testing                      a recorder for the tests of a job

Only `embedded` imports the server. The HTTP client is imported with the first `Progress` that has a server.
"""
