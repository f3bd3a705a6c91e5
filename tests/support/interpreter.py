"""What the running interpreter is built for."""

from __future__ import annotations

import sys
import sysconfig

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # a build of Python that can run without the GIL
MAX_SIZE = 2 * sys.maxsize + 1  # the largest size_t
