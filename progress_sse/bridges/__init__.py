"""What lets other libraries report: each module is for the library of its name, and is all that imports it.

The bars and the handler report on the step that the code runs in. Those for queues make a step of each task::

    tqdm, rich     bars: how far they are, inside the running step
    logging        records: the message of the running step
    units          what the modules for bars have in common
    celery         signals of the worker: a task is a step
    rq             a worker, and what makes one of another
    dramatiq       a middleware
    taskiq         a middleware
    attempts       what the modules for queues have in common

They stand on the worker's client, and so never hold up or end the job that they report on.
"""
