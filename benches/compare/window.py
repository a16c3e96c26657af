"""A run in an open window against the same run from a terminal, both on an otherwise equal machine."""

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from measure import Client, Failed, last_line, ratios, run, spread, spread_of
from targets import URL, Precedence, end, pinned
from tools import ROOT

RATE = 10_000
CONNECTIONS = 50
LIMIT_S = 180
NEEDED = ("Xvfb", "openbox", "xdotool", "dbus-run-session")
WITH, WITHOUT = "with a window", "without"


def window(bench):
    missing = [f"{name} is {bench.tools.why[name]}" for name in NEEDED if name in bench.tools.why]
    goal = "at most 1.05 × without"
    if missing:
        bench.page.goal("window open: lag p99, CPU a request", goal, "; ".join(missing), None)
        bench.page.row("With the window open", f"{RATE}/s.", ["run", "why"], [], {WITH: "; ".join(missing)})
        return
    clients = [Client(WITHOUT, ["terminal"]), Client(WITH, ["window"])]
    once = {WITHOUT: in_a_terminal, WITH: in_a_window}
    # Among equals that go before all others, the one who draws would keep the one who sends waiting.
    before, Precedence.first = Precedence.first, False
    runs, failed = bench.rounds("window", clients, lambda client: once[client.name](bench))
    Precedence.first = before
    keys = (("lag50", 1), ("lag99", 1), ("cpu", 1), ("reached", 1))
    lines = [[name, *(spread(taken, key, digits) for key, digits in keys)] for name, taken in runs.items()]
    bench.page.row(
        "With the window open",
        f"{RATE}/s, {CONNECTIONS} connections, nginx; processor time of the load "
        "threads. Both runs may use both cores. The window is drawn in software under Xvfb, with a screen "
        "reader's interface on, which is how it is driven. Neither goes before other programs, whatever was asked for.",
        ["run", "lag, µs: p50", "p99", "CPU, µs/request", "reached/s"],
        lines,
        failed,
    )
    for key, what in (("lag99", "lag p99"), ("cpu", "CPU a request")):
        pairs = ratios(runs.get(WITH, []), runs.get(WITHOUT, []), key)
        measured = spread_of(pairs, 2) if pairs else "; ".join(failed.values())
        bench.page.goal(f"window open: {what}", goal, measured, statistics.median(pairs) <= 1.05 if pairs else None)


def in_a_terminal(bench):
    with tempfile.TemporaryDirectory() as data:
        return from_history(bench, data, seed(bench, data, bench.options.seconds))


def seed(bench, data, seconds):
    """A run from the terminal, kept in history."""
    words = ["run", URL, "--data-dir", data, "--rate", RATE, "--connections", CONNECTIONS, "--duration", f"{seconds}s"]
    taken = run(Client("", [bench.tools.paths["meshbench"], *words]), {bench.server_core, bench.client_core})
    if taken["exit"] != 0:
        raise Failed(f"ended with {taken['exit']}: {last_line(taken)}")
    return ids(bench, data)


def in_a_window(bench):
    with tempfile.TemporaryDirectory() as data:
        before = seed(bench, data, bench.options.seconds)
        with Display(bench) as display:
            driver = [
                "dbus-run-session",
                "--",
                "/usr/bin/python3",
                Path(__file__).with_name("drive_window.py"),
                bench.tools.paths["meshbench"],
                data,
                bench.options.seconds,
            ]
            client = Client("", driver, environment=display.environment)
            taken = run(client, {bench.server_core, bench.client_core}, limit_s=LIMIT_S)
        if taken["exit"] != 0:
            raise Failed(f"the window was not driven: {last_line(taken)}")
        return from_history(bench, data, ids(bench, data) - before)


def history(bench, data, *words):
    command = [bench.tools.paths["meshbench"], "history", "--data-dir", data, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return done.stdout


def ids(bench, data):
    return {run["id"] for run in json.loads(history(bench, data, "list", "--json"))}


def from_history(bench, data, new):
    if len(new) != 1:
        raise Failed(f"{len(new)} runs were kept, not one")
    kept = json.loads(history(bench, data, "show", "--json", next(iter(new))))
    asked = kept["requests"]["due"]
    environment = kept["environment"]
    busy = environment["load_cpu_share"] * environment["load_threads"] * kept["elapsed_s"]
    return {
        "lag50": kept["lag_ms"]["p50"] * 1e3,
        "lag99": kept["lag_ms"]["p99"] * 1e3,
        "cpu": busy * 1e6 / asked,
        "reached": kept["rate"]["achieved"],
    }


class Display:
    """Xvfb with a window manager, away from everything of the person who runs the bench."""

    def __init__(self, bench):
        self.bench, self.children, self.folder = bench, [], tempfile.TemporaryDirectory()

    def __enter__(self):
        quiet = {
            "stdin": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "preexec_fn": pinned(self.bench.server_core),
        }
        paths, home = self.bench.tools.paths, self.folder.name
        server = subprocess.Popen(
            [paths["Xvfb"], "-displayfd", "1", "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-noreset"],
            stdout=subprocess.PIPE,
            text=True,
            **quiet,
        )
        self.children.append(server)
        number = server.stdout.readline().strip()
        if not number:
            raise Failed("Xvfb found no free display")
        self.environment = {
            "DISPLAY": f":{number}",
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "XDG_DATA_HOME": home,
            "XDG_CONFIG_HOME": home,
            "XDG_CACHE_HOME": home,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "SMOKE": str(ROOT / "tests" / "smoke"),
        }
        self.children.append(
            subprocess.Popen(
                [paths["openbox"], "--sm-disable"],
                stdout=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
                **quiet,
            )
        )
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            end(child)
        self.folder.cleanup()
