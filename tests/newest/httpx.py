"""Stands for httpx where `make test-newest` puts this folder on the path: tests and package then run on httpx2."""

import sys

import httpx2

sys.modules[__name__] = httpx2
