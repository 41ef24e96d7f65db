"""Bridges that let other libraries report; only the module named like a library imports it.

The bars and the handler report on the running step. The bridges to queues make each task a step::

    tqdm, rich     bars: the progress within the running step
    logging        records: the message of the running step
    units          shared by the modules for bars
    celery         signals of the worker: a task is a step
    rq             a worker, and a mixin for other workers
    dramatiq       a middleware
    taskiq         a middleware
    attempts       shared by the modules for queues

They use the worker's client, and so never delay or end the job that they report on.
"""
