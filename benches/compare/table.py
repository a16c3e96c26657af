"""Tables in Markdown: one a measurement, and one of the goals."""

import os
import platform
import re
import time
from pathlib import Path

NOT_KNOWN = "not measured"
# Above that somebody else is at work.
LOAD_QUIET = 0.7


class Page:
    """What has been measured so far, printed as it comes."""

    def __init__(self):
        self.goals, self.raw = [], {}

    def row(self, title, note, header, lines, failed):
        """A measurement: lines of cells, and the tools that are missing or failed with the reason."""
        print(f"\n## {title}\n\n{note} Load average {os.getloadavg()[0]:.1f}.\n")
        print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
        for line in lines:
            print(f"| {' | '.join(line)} |")
        for name, why in failed.items():
            print(f"| {name} | {why} |{' |' * (len(header) - 2)}")
        print(end="", flush=True)

    def goal(self, what, goal, measured, reached):
        """`reached` is none when nothing was measured; then `measured` says why."""
        self.goals.append((what, goal, measured, {True: "reached", False: "**not reached**", None: NOT_KNOWN}[reached]))

    def at_most(self, what, value, bound, unit="", digits=2, why=""):
        measured = f"{value:.{digits}f}{unit}" if value is not None else why or "no measurement"
        self.goal(what, f"at most {bound}{unit}", measured, None if value is None else value <= bound)

    def keep(self, row, runs, failed):
        kept = {
            name: [{key: value for key, value in run.items() if key not in ("text", "complaint")} for run in taken]
            for name, taken in runs.items()
        }
        self.raw[row] = {"runs": kept, "failed": failed}

    def summary(self):
        print("\n## Goals\n\n| what | goal | measured (median) | |\n|---|---|---|---|")
        for line in self.goals:
            print(f"| {' | '.join(line)} |")
        reached = [line[3] for line in self.goals]
        print(
            f"\n{reached.count('reached')} reached, {reached.count('**not reached**')} not reached, "
            f"{reached.count(NOT_KNOWN)} not measured."
        )


def describe(options, tools, server_core, client_core):
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    print(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {model.group(1) if model else platform.machine()}, "
        f"{os.cpu_count()} cores, {int(memory.group(1)) / 2**20:.0f} GiB, Linux {platform.release()}, "
        f"load average {' '.join(f'{load:.1f}' for load in os.getloadavg())}\n"
    )
    print(
        f"Target on core {server_core}, client on core {client_core}; {options.rounds} rounds, "
        f"{options.seconds} s each, the tools in turn; medians [min..max]; ratios round by round. Processor time is "
        f"the client's, user and system, start-up included.\n"
    )
    if options.first:
        print("Targets and clients went before everything else on the machine (SCHED_RR).\n")
    if os.getloadavg()[0] > LOAD_QUIET:
        print("**The machine is not idle: times are noise, ratios are better than nothing.**\n")
    print("; ".join(tools.versions()), flush=True)
