"""Telemetry that one thread records while another draws the newest part of it."""

import threading
import time

import numpy as np

import vmem

RATE = 10_000  # samples a second
SHOWN = 2_000  # as many samples are drawn


def record(telemetry: vmem.Table, stop: threading.Event) -> None:
    """Appends samples; a sensor would give them."""
    number = 0
    while not stop.is_set():
        now = number / RATE
        telemetry.append(
            time.time_ns(), 50 * np.sin(now), int(now) % 6 + 1, number % 100 == 0
        )
        number += 1


def draw(telemetry: vmem.Table) -> str:
    """A line of text for the newest speeds; a plot would take the same two arrays."""
    newest = telemetry[-SHOWN:]  # columns of one length, whatever is appended meanwhile
    times = np.asarray(newest["time"])
    speeds = np.asarray(newest["speed"])
    assert len(times) == len(speeds) <= SHOWN
    assert (np.diff(times.astype(np.int64)) >= 0).all()
    heights = np.interp(
        np.linspace(0, len(speeds) - 1, 40), np.arange(len(speeds)), speeds
    )
    return "".join(" .:-=+*#%@"[int((height + 50) / 100 * 9.99)] for height in heights)


def main() -> None:
    telemetry = vmem.Table({"time": "M8[ns]", "speed": "d", "gear": "b", "is_lap": "?"})
    stop = threading.Event()
    recorder = threading.Thread(target=record, args=(telemetry, stop))
    recorder.start()
    try:
        drawn = 0
        while drawn < 20_000:
            if len(telemetry) - drawn >= SHOWN:
                drawn = len(telemetry)
                print(draw(telemetry))
    finally:
        stop.set()
        recorder.join()

    laps = np.asarray(telemetry["is_lap"]).nonzero()[0]
    assert laps[1] == 100
    print(f"{len(telemetry)} samples, nothing lost and nothing copied to draw them")


main()
