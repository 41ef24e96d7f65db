"""Stands for httpx where `make test-newest` puts this folder on the path: tests and package then run on httpx2."""

import sys
from importlib import import_module

sys.modules[__name__] = import_module("httpx2")
