"""Runs clients in turn and does the sums."""

import os
import re
import select
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from targets import pinned

# Between two looks at a client's memory.
LOOK_EVERY_S = 0.2
# What reading a tool's report may raise when it is not of the shape that is known here.
NOT_UNDERSTOOD = (ValueError, KeyError, AttributeError, TypeError, IndexError)


class Client(NamedTuple):
    """A tool as one row asks it; without a command it is missing, and the row says why."""

    name: str
    command: list | None
    told: Callable = lambda text: {}
    missing: str = ""
    environment: dict = {}


class Failed(Exception):
    """A client that did not do what it was asked for."""


def run(client, core, interrupt_after=None, limit_s=None):
    """Runs a client; seconds by the clock, processor time and memory by the system's books."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            list(map(str, client.command)),
            stdout=output,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **client.environment},
            preexec_fn=pinned(core),
        )
        asked = None
        try:
            if interrupt_after is not None:
                interrupt_after(process)
                asked = time.monotonic()
                process.send_signal(signal.SIGINT)
            used, memory, own = wait(process, began + limit_s if limit_s else None)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        ended = time.monotonic()
        output.seek(0)
        errors.seek(0)
        text, complaint = output.read().decode(errors="replace"), errors.read().decode(errors="replace")
    return {
        "seconds": ended - began,
        "exit": process.returncode,
        "text": text,
        "complaint": complaint,
        "stop_s": ended - asked if asked else None,
        "user_s": used.ru_utime,
        "sys_s": used.ru_stime,
        "rss_kib": memory,
        "own_kib": own,
    }


def wait(process, deadline):
    """Until it ends, or is ended at the deadline. The most memory is looked up meanwhile, since the system's books
    have the memory of the process that forked in them: all that was resident, and what of it is its own, which the
    pages of its program file are not."""
    memory, own, ending = 0, 0, os.pidfd_open(process.pid)
    try:
        while True:
            memory = max(memory, memory_of(process.pid, "VmHWM"))
            own = max(own, memory_of(process.pid, "RssAnon"))
            if select.select([ending], [], [], LOOK_EVERY_S)[0]:
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                return used, memory, own
            if deadline and time.monotonic() > deadline:
                process.kill()
    finally:
        os.close(ending)


def memory_of(pid, kind):
    """In KiB."""
    try:
        line = re.search(rf"{kind}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(line.group(1)) if line else 0


def counted(client, core, count, limit_s=None):
    """One run of a client with the requests that `count` says it sent, and the costs of each."""
    before = count(None)
    taken = run(client, core, limit_s=limit_s)
    if taken["exit"] != 0:
        raise Failed(f"ended with {taken['exit']}: {last_line(taken)}")
    try:
        taken.update(client.told(taken["text"]))
    except NOT_UNDERSTOOD as error:
        raise Failed(f"said what was not understood ({error!r}): {last_line(taken)}") from error
    requests = count(taken) - before
    if requests <= 0:
        raise Failed(f"sent no request: {last_line(taken)}")
    return {**taken, "requests": requests, "rate": requests / taken["seconds"], **costs(taken, requests)}


def costs(taken, requests):
    micros = 1e6 / requests
    return {
        "user": taken["user_s"] * micros,
        "sys": taken["sys_s"] * micros,
        "cpu": (taken["user_s"] + taken["sys_s"]) * micros,
    }


def last_line(taken):
    lines = (taken["complaint"].strip() or taken["text"].strip()).split("\n")
    return lines[-1][:160]


def rounds(count, clients, once, say):
    """Lets the clients take turns, beginning with another one each round. `once(client)` is one run of one.

    Returns the runs of each, and for those that are missing or failed, why.
    """
    taken = {client.name: [] for client in clients if client.command}
    failed = {client.name: client.missing for client in clients if not client.command}
    there = [client for client in clients if client.command]
    for turn in range(count):
        for client in there[turn % len(there) :] + there[: turn % len(there)] if there else []:
            if client.name in failed:
                continue
            say(f"round {turn + 1} of {count}: {client.name}")
            try:
                taken[client.name].append(once(client))
            except Failed as why:
                failed[client.name] = str(why)
    return {name: runs for name, runs in taken.items() if name not in failed}, failed


def median(runs, key):
    values = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(values) if values else None


def spread(runs, key, digits):
    """The median, and least and most."""
    return spread_of([run.get(key) for run in runs], digits)


def spread_of(values, digits):
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}..{max(values):.{digits}f}]"


def ratios(runs, of, key):
    """Round by round: the ratio of what was measured close together."""
    return [run[key] / peer[key] for run, peer in zip(runs, of, strict=False) if run.get(key) and peer.get(key)]
