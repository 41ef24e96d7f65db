"""Bridges that let other libraries report, by the worker's client, which never delays or ends a job.

Bars (``tqdm``, ``rich``, by ``units``) and records (``logging``) report on the running step. Each task of a queue
(``celery``, ``rq``, ``dramatiq``, ``taskiq``, by ``attempts``) is a step, and so are spans (``opentelemetry``).
"""
