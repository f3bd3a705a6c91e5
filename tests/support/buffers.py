"""Addresses of buffers, and pickles that leave buffers out."""

from __future__ import annotations

import ctypes
import pickle
from typing import Any


def address_of(buffer: Any) -> int:
    """The address of the first byte of a writable buffer."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def dump_out_of_band(thing: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """A pickle, and the buffers that travel beside it."""
    buffers: list[pickle.PickleBuffer] = []
    return pickle.dumps(thing, 5, buffer_callback=buffers.append), buffers
