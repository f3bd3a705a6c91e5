"""Marks that tests share. Child programs never import this module: pytest costs them 0.3 s."""

from __future__ import annotations

import sys

import pytest

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork, signals nor resource limits")
