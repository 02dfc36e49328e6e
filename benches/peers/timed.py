"""Times what a peer does: medians in milliseconds, and the memory that it takes."""

import json
import statistics
import time

WARM_UP = 3


def memory(what):
    """The memory of the process, in MB: VmRSS: that of now, VmHWM: its peak."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) / 1024


def report(run, steps, **also):
    """Runs `run` after a warm-up and prints one line of JSON: times, memory, and what else is given."""
    # The peak of the memory from here on: what the network takes while it works.
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")
    before, times = memory("VmRSS:"), []
    for step in range(WARM_UP + steps):
        start = time.perf_counter()
        run()
        if step >= WARM_UP:
            times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({
        "median_ms": statistics.median(times), "min_ms": min(times), **also,
        "peak_mb": memory("VmHWM:"), "working_mb": memory("VmHWM:") - before,
    }))  # fmt: skip
