"""The measurements, each under the name by which `--only` chooses it."""

import contextlib
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from capture import Capture
from measure import NOT_UNDERSTOOD, Client, Failed, costs, counted, median, ratios, rounds, run, spread, spread_of
from peers import Peers
from targets import GRPC, H2_URL, STAMP_PORT, STAMP_URL, URL, FortioServer, Stamp
from window import window

CONNECTIONS = 50
RATES = (1_000, 10_000, 30_000)
# Of the requests that were due, for a rate to count as met.
MET = 0.999
STRACE_S = 2
STALL_RATE, STALL_SECONDS, STALL = 1_000, 16, "4000/1000/10000"
STALL_QUANTILES = (90, 95, 99, 99.9)
# What a target needs for an answer, where the truth is computed for a tool that did not send all that was due.
ANSWER_S = 20e-6
BIAS_RATES = (1_000, 10_000)
MANY, MANY_RATE, SETTLE_S, STOP_MAX_S = 10_000, 20_000, 4, 30
GROWTH_RATE, SHORT_S, LONG_S = 10_000, 5, 30


class Bench:
    """What all rows share."""

    def __init__(self, options, tools, page, nginx, cores, say):
        self.options, self.tools, self.page, self.nginx, self.say = options, tools, page, nginx, say
        self.server_core, self.client_core = cores
        self.folder = tempfile.TemporaryDirectory(prefix="meshbench-bench-")

    def peers(self, url, seconds=None, connections=CONNECTIONS, streams=1):
        return Peers(self.tools, self.folder.name, url, seconds or self.options.seconds, connections, streams)

    def rounds(self, row, clients, once):
        runs, failed = rounds(self.options.rounds, clients, once, lambda what: self.say(f"{row}: {what}"))
        self.page.keep(row, runs, failed)
        return runs, failed

    def by_nginx(self, client):
        # The question itself is counted, once for the two answers that are subtracted.
        return counted(client, self.client_core, lambda taken: self.nginx.served() + (taken is None))

    def by_the_tool(self, client):
        return counted(client, self.client_core, lambda taken: taken["answers"] if taken else 0)

    def by_stamp(self, client, rate=None, stall=None):
        stamp = Stamp(self.tools, self.server_core, rate, stall)
        seen = {}

        def count(taken):
            if taken:
                seen.update(stamp.finish())
            return seen.get("count", 0)

        try:
            return {**counted(client, self.client_core, count), "seen": seen}
        finally:
            if not seen:
                stamp.finish()

    def ratio(self, what, runs, failed, peer, bound, key="cpu"):
        """A goal: what Meshbench costs over what the peer costs, in pairs of one round."""
        ours, theirs = runs.get("meshbench"), runs.get(peer)
        if not ours or not theirs:
            why = failed.get("meshbench") if not ours else failed.get(peer)
            self.page.goal(what, f"at most {bound} × {peer}", why or "no measurement", None)
            return
        pairs = ratios(ours, theirs, key)
        self.page.goal(what, f"at most {bound} × {peer}", spread_of(pairs, 2), statistics.median(pairs) <= bound)


def costs_table(bench, row, title, note, runs, failed, peers, more=()):
    """CPU a request, and against each of `peers`; `more` are further columns: title, and name to text."""
    header = [
        "tool",
        "requests/s",
        "CPU, µs/request",
        "user",
        "system",
        *(f"× {peer}" for peer in peers),
        "own memory, MiB",
        "RSS, MiB",
        *(title for title, _ in more),
    ]
    lines = []
    for name, taken in runs.items():
        against = [spread_of(ratios(taken, runs.get(peer, []), "cpu"), 2) for peer in peers]
        lines.append(
            [
                name,
                spread(taken, "rate", 0),
                spread(taken, "cpu", 1),
                spread(taken, "user", 1),
                spread(taken, "sys", 1),
                *against,
                f"{median(taken, 'own_kib') / 1024:.1f}",
                f"{median(taken, 'rss_kib') / 1024:.1f}",
                *(cell(name) for _, cell in more),
            ]
        )
    bench.page.row(title, note, header, lines, failed)


def http1(bench):
    clients = bench.peers(URL).http1()
    runs, failed = bench.rounds("h1", clients, bench.by_nginx)
    quick = {client.name: client for client in bench.peers(URL, STRACE_S).http1()}
    calls = {name: system_calls(bench, quick[name]) for name in runs}

    def shown(name):
        return calls[name] if isinstance(calls[name], str) else f"{calls[name]:.2f}"

    costs_table(
        bench,
        "h1",
        "HTTP/1.1 as fast as possible",
        f"{CONNECTIONS} connections, nginx; system calls a request from a run of {STRACE_S} s of its own under strace.",
        runs,
        failed,
        ("wrk", "oha"),
        [("system calls/request", shown)],
    )
    for peer, bound in (("wrk", 1.0), ("oha", 0.65), ("fortio", 0.75), ("hey", 0.2)):
        bench.ratio("HTTP/1.1: CPU a request", runs, failed, peer, bound)
    bench.ratio("HTTP/1.1: user-space CPU a request", runs, failed, "wrk", 1.0, "user")
    ours = calls.get("meshbench")
    bench.page.at_most(
        "HTTP/1.1: system calls a request",
        ours if isinstance(ours, float) else None,
        2.1,
        why=ours or failed.get("meshbench", ""),
    )
    idle = Client("", [bench.tools.paths["meshbench"], "target"])
    base = run(idle, bench.client_core, lambda _: time.sleep(1))["rss_kib"]
    above = (median(runs["meshbench"], "rss_kib") - base) / 1024 if "meshbench" in runs else None
    bench.page.at_most("HTTP/1.1: resident memory above that of an idle `meshbench target`", above, 8, " MiB", 1)
    bench.page.goal("HTTP/1.1: allocations a request", "none", "held by a test, not by this bench", None)


def system_calls(bench, client):
    """How many a request, or why that is not known."""
    if "strace" not in bench.tools.paths:
        return f"strace is {bench.tools.why['strace']}"
    bench.say(f"h1: system calls of {client.name}")
    file = Path(bench.folder.name) / "strace"
    traced = client._replace(command=[bench.tools.paths["strace"], "-f", "-c", "-o", file, *client.command])
    try:
        requests = bench.by_nginx(traced)["requests"]
    except Failed as why:
        return str(why)
    total = re.search(r"^100\.00\s+[\d.]+\s+\d*\s+(\d+)(?:\s+\d+)?\s+total$", file.read_text(), re.MULTILINE)
    return int(total.group(1)) / requests if total else "strace's sum was not understood"


def http2(bench):
    for connections, streams in ((50, 1), (1, 50)):
        shape = f"{connections} × {streams}"
        clients = bench.peers(H2_URL, None, connections, streams).http2()
        runs, failed = bench.rounds(f"h2 {shape}", clients, bench.by_nginx)
        costs_table(
            bench,
            "h2",
            f"HTTP/2, {shape} streams",
            "Without TLS, prior knowledge, nginx.",
            runs,
            failed,
            ("h2load", "oha"),
        )
        bench.ratio(f"HTTP/2, {shape}: CPU a request", runs, failed, "h2load", 1.0)


def grpc(bench):
    if "fortio" not in bench.tools.paths:
        why = bench.tools.why["fortio"]
        bench.page.row("gRPC unary, 50 × 1", "Needs Fortio's server.", ["tool", "why"], [], {"all": why})
        bench.page.goal("gRPC: CPU a call", "at most 1.0 × h2load, 0.4 × ghz", f"no target: fortio is {why}", None)
        return
    server = FortioServer(bench.tools, bench.server_core)
    try:
        runs, failed = bench.rounds("grpc", bench.peers(GRPC).grpc(GRPC), bench.by_the_tool)
    finally:
        server.stop()
    costs_table(
        bench,
        "grpc",
        "gRPC unary, 50 × 1",
        "Health check of Fortio's server; calls as the tool counts its own good answers.",
        runs,
        failed,
        ("h2load", "ghz"),
    )
    bench.ratio("gRPC: CPU a call", runs, failed, "h2load", 1.0)
    bench.ratio("gRPC: CPU a call", runs, failed, "ghz", 0.4)


def constant(bench):
    for rate in RATES:
        constant_at(bench, rate)


def constant_at(bench, rate):
    peers, poisson = bench.peers(STAMP_URL), "meshbench, Poisson"
    clients = peers.constant(rate)
    if rate == RATES[0]:
        clients.append(peers.meshbench("--rate", rate, "--pacing", "poisson", label=poisson))
    runs, failed = bench.rounds(f"rate {rate}", clients, lambda client: paced(bench, client, rate))
    columns = {
        "reached/s": ("reached_there", 1),
        "gaps' CV": ("cv", 2),
        "off the line, µs: p50": ("off50", 0),
        "p99": ("off99", 0),
        "behind the earliest, µs: p50": ("late50", 0),
        "p99 ": ("late99", 0),
        "own lag, µs: p50": ("own50", 1),
        "p99  ": ("own99", 1),
        "CPU, µs/request": ("cpu", 1),
    }
    lines = [[name, *(spread(taken, key, digits) for key, digits in columns.values())] for name, taken in runs.items()]
    bench.page.row(
        f"Constant {rate}/s",
        "From the receive times of the stamping server: CV 0 is a clock, 1 is chance, 7 bursts of 50; the line is "
        "evenly spaced at the rate asked for, through the middle. Own lag is without the wait for a free connection.",
        ["tool", *(title.strip() for title in columns)],
        lines,
        failed,
    )
    constant_goals(bench, rate, runs, failed)
    if poisson in runs:
        bench.page.at_most(f"{rate}/s, Poisson: the gaps' CV is off 1 by", abs(median(runs[poisson], "cv") - 1), 0.1)


def paced(bench, client, rate):
    taken = bench.by_stamp(client, rate)
    seen = taken.pop("seen")
    line = seen["line"]
    for key, name in (("off", "deviation_us"), ("late", "late_us")):
        taken |= {f"{key}50": line[name]["p50"], f"{key}99": line[name]["p99"]}
    for share in ("50", "99"):
        lag = taken.get(f"lag{share}")
        taken[f"own{share}"] = None if lag is None else lag * 1e3
    wanted = rate * bench.options.seconds
    return taken | {
        "reached_there": seen["rate"],
        "cv": seen["gaps_cv"],
        "share": seen["count"] / wanted,
        "service50": seen["service_us"]["p50"],
    }


def constant_goals(bench, rate, runs, failed):
    page, ours = bench.page, runs.get("meshbench")
    why = failed.get("meshbench", "")
    share = min(median(ours, "share"), median(ours, "reached_there") / rate) if ours else None
    page.goal(
        f"{rate}/s: the rate is met",
        f"at least {MET:.1%}",
        f"{share:.2%}" if ours else why,
        share >= MET if ours else None,
    )
    value = (lambda key: median(ours, key)) if ours else (lambda key: None)
    page.at_most(f"{rate}/s: own lag p50", value("own50"), 60, " µs", 1, why)
    if rate == RATES[0]:
        page.at_most(f"{rate}/s: own lag p99", value("own99"), 500, " µs", 1, why)
        page.at_most(f"{rate}/s: gaps' coefficient of variation", value("cv"), 0.2, "", 2, why)
    exact = runs.get("meshbench, precise")
    page.at_most(
        f"{rate}/s, precise: own lag p50",
        median(exact, "own50") if exact else None,
        1,
        " µs",
        2,
        failed.get("meshbench, precise", ""),
    )
    others = {name: taken for name, taken in runs.items() if not name.startswith("meshbench")}
    for key, title in (("off50", "p50"), ("off99", "p99")):
        best = min(others, key=lambda name: median(others[name], key), default=None)
        if best and ours:
            page.at_most(
                f"{rate}/s: off the line, {title}, against the best peer ({best})",
                value(key),
                round(median(others[best], key)),
                " µs",
                0,
            )


def stalled(bench):
    clients = bench.peers(STAMP_URL, STALL_SECONDS).stalled(STALL_RATE)
    runs, failed = bench.rounds("stall", clients, lambda client: through_a_stall(bench, client))
    lines = []
    for name, taken in runs.items():
        cells = [
            f"{spread(taken, f'says{share}', 1)} / {median(taken, f'true{share}'):.1f}" for share in STALL_QUANTILES
        ]
        lines.append([name, spread(taken, "sent", 0), spread(taken, "books", 0), *cells])
    due = STALL_RATE * STALL_SECONDS
    bench.page.row(
        f"A target that stops for 1 s in every 10, {STALL_RATE}/s",
        f"{STALL_SECONDS} s, {due} due, stalls after 4 s and 14 s. Milliseconds, said / true; true is from the "
        "n-th due moment to the n-th answer at the target, and for a tool that did not send all that was due, "
        "computed from the schedule.",
        ["tool", "arrived", "accounted for", *(f"p{share}" for share in STALL_QUANTILES)],
        lines,
        failed,
    )
    ours = runs.get("meshbench")
    for share in STALL_QUANTILES:
        off = median(ours, f"off{share}") if ours else None
        bench.page.at_most(f"stall: p{share} is off the truth by", off, 2, " %", 2, failed.get("meshbench", ""))
    books = [run["books"] == due for run in ours] if ours else []
    bench.page.goal(
        "stall: the books balance",
        f"{due} of {due}",
        spread(ours, "books", 0) if ours else "–",
        all(books) if ours else None,
    )


def through_a_stall(bench, client):
    taken = bench.by_stamp(client, STALL_RATE, STALL)
    seen = taken.pop("seen")
    due = STALL_RATE * STALL_SECONDS
    whole = seen["count"] >= due * 0.995
    truth = (
        {share: seen["line"]["wait_us"][f"p{share}"] / 1e3 for share in STALL_QUANTILES} if whole else by_schedule(due)
    )
    for share in STALL_QUANTILES:
        says = taken.get(f"p{share}")
        taken |= {
            f"says{share}": says,
            f"true{share}": truth[share],
            f"off{share}": abs(says / truth[share] - 1) * 100 if says is not None else None,
        }
    return taken | {"sent": seen["count"], "books": taken.get("told")}


def by_schedule(due):
    """What each request waits (milliseconds) when they come evenly and nobody holds one back."""
    first, length, every = (int(part) / 1e3 for part in STALL.split("/"))
    waits, free = [], 0.0
    for number in range(due):
        at = number / STALL_RATE
        into = (at - first) % every if at >= first else every
        stalled_until = at - into + length if into < length else at
        free = max(free, stalled_until) + ANSWER_S
        waits.append((free - at) * 1e3)
    waits.sort()
    return {share: waits[min(due, -int(-due * share // 100)) - 1] for share in STALL_QUANTILES}


def biased(bench):
    if "tcpdump" not in bench.tools.paths:
        why = f"tcpdump is {bench.tools.why['tcpdump']}"
        bench.page.goal("measuring: bias at p50", "at most 15 µs", why, None)
        bench.page.row("What the measuring adds", "Needs a capture.", ["tool", "why"], [], {"all": why})
        return
    for rate in BIAS_RATES:
        biased_at(bench, rate)


def biased_at(bench, rate):
    clients = bench.peers(STAMP_URL).biased(rate)
    runs, failed = bench.rounds(f"bias {rate}", clients, lambda client: captured(bench, client))
    keys = ("says50", "wire50", "bias50", "says99", "wire99", "server50")
    lines = [[name, *(spread(taken, key, 1) for key in keys)] for name, taken in runs.items()]
    bench.page.row(
        f"What the measuring adds at {rate}/s",
        "Microseconds. Meshbench's service time, the others' latency, against a capture on loopback (request's "
        "packet to answer's: the client's own waking is not in it), and the stamping server's own view.",
        ["tool", "says p50", "captured p50", "bias", "says p99", "captured p99", "server p50"],
        lines,
        failed,
    )
    for name, mode in (("meshbench", ""), ("meshbench, precise", ", precise")):
        bench.page.at_most(
            f"measuring at {rate}/s{mode}: bias at p50, against the capture",
            median(runs[name], "bias50") if name in runs else None,
            15,
            " µs",
            1,
            failed.get(name, ""),
        )


def captured(bench, client):
    try:
        capture = Capture(bench.tools, bench.server_core, bench.folder.name, STAMP_PORT)
    except OSError as why:
        raise Failed(f"no capture: {why}") from why
    try:
        taken = bench.by_stamp(client)
    finally:
        waits = capture.finish()
    if len(waits) < 0.9 * taken["requests"]:
        raise Failed(f"only {len(waits)} of {taken['requests']} requests were captured")
    seen = taken.pop("seen")
    said = {share: taken.get(f"service{share}", taken.get(f"p{share}")) for share in ("50", "99")}
    said = {share: None if value is None else value * 1e3 for share, value in said.items()}
    wire = {"50": waits[len(waits) // 2], "99": waits[len(waits) * 99 // 100]}
    return taken | {
        "says50": said["50"],
        "says99": said["99"],
        "wire50": wire["50"],
        "wire99": wire["99"],
        "bias50": said["50"] - wire["50"],
        "server50": seen["service_us"]["p50"],
    }


def many(bench):
    clients = bench.peers(URL, connections=MANY).many(MANY_RATE)
    runs, failed = bench.rounds("many", clients, lambda client: interrupted(bench, client))
    keys = (("steady", 0), ("each_kib", 1), ("lag50_us", 0), ("lag99_us", 0), ("cpu", 1), ("stop_s", 2))
    lines = [[name, *(spread(taken, key, digits) for key, digits in keys)] for name, taken in runs.items()]
    bench.page.row(
        f"{MANY} keep-alive connections, {MANY_RATE}/s",
        f"nginx. Counted for {bench.options.seconds} s after {SETTLE_S} s to connect, then SIGINT. Memory is the "
        "whole process's, divided by the connections. More than was asked for is what was due while connecting.",
        [
            "tool",
            "reached/s",
            "KiB a connection",
            "own lag, µs: p50",
            "p99",
            "CPU, µs/request",
            "from SIGINT to the end, s",
        ],
        lines,
        failed,
    )
    ours, why = runs.get("meshbench"), failed.get("meshbench", "")
    share = median(ours, "steady") / MANY_RATE if ours else None
    bench.page.goal(
        f"{MANY} connections: the rate is met",
        f"at least {MET:.1%}",
        f"{share:.2%}" if ours else why,
        share >= MET if ours else None,
    )
    # 60 KB, as the goal is written, are 58.6 KiB.
    bench.page.at_most(
        f"{MANY} connections: memory of each", median(ours, "each_kib") if ours else None, 58.6, " KiB", 1, why
    )
    bench.page.at_most(f"{MANY} connections: stop", median(ours, "stop_s") if ours else None, 2, " s", 2, why)
    too_few_files(bench)


def interrupted(bench, client):
    count = {}

    def watch(process):
        time.sleep(SETTLE_S)
        first, began = bench.nginx.served(), time.monotonic()
        time.sleep(bench.options.seconds)
        count.update(steady=(bench.nginx.served() - first - 1) / (time.monotonic() - began))
        if process.poll() is not None:
            raise Failed(f"ended by itself with {process.returncode}")

    before = bench.nginx.served()
    limit = SETTLE_S + bench.options.seconds + STOP_MAX_S
    taken = run(client, bench.client_core, watch, limit)
    requests = bench.nginx.served() - before - 1
    if requests <= 0:
        raise Failed("sent no request")
    # Not every tool reports after an interrupt; what was seen from outside stands.
    with contextlib.suppress(*NOT_UNDERSTOOD):
        taken |= client.told(taken["text"])
    lags = {f"lag{share}_us": taken[f"lag{share}"] * 1e3 for share in ("50", "99") if taken.get(f"lag{share}")}
    return taken | lags | costs(taken, requests) | {"requests": requests, "each_kib": taken["rss_kib"] / MANY, **count}


def too_few_files(bench):
    ours = bench.peers(URL, connections=MANY).meshbench("--rate", MANY_RATE)
    before, began = bench.nginx.served(), time.monotonic()
    command = ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh", *map(str, ours.command)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=STOP_MAX_S
        )
        said, code = done.stderr.strip().split("\n")[0], done.returncode
    except subprocess.TimeoutExpired:
        said, code = "it ran on", 0
    sent, seconds = bench.nginx.served() - before - 1, time.monotonic() - began
    reached = code != 0 and sent == 0 and "1024" in said.replace(" ", "")
    bench.page.goal(
        f"{MANY} connections with 1024 files allowed",
        "a clear message before the start",
        f"ended with {code} after {seconds:.1f} s and {sent} requests: {said[:160]}",
        reached,
    )


def growth(bench):
    both = (bench.server_core, bench.client_core)
    peers = bench.peers(URL)
    one = peers.meshbench("--pacing", "max", "--threads", 1, label="meshbench, 1 thread", needs=("--threads",))
    two = peers.meshbench("--pacing", "max", "--threads", 2, label="meshbench, 2 threads", needs=("--threads",))
    if one.missing:
        one = peers.meshbench("--pacing", "max", label=one.name)

    def once(client):
        taken = counted(
            client, bench.client_core if client is one else both, lambda taken: bench.nginx.served() + (taken is None)
        )
        return taken | {"per_core": 1e6 / taken["cpu"]}

    runs, failed = bench.rounds("growth", [one, two], once)
    lines = [[name, spread(taken, "rate", 0), spread(taken, "per_core", 0)] for name, taken in runs.items()]
    bench.page.row(
        "Growth with threads",
        "As fast as possible, nginx; with two threads the client has both cores and shares "
        "one with nginx, so look at requests per second of its own processor time.",
        ["tool", "requests/s", "requests per CPU second"],
        lines,
        failed,
    )
    pairs = ratios(runs.get(two.name, []), runs.get(one.name, []), "per_core")
    ratio = statistics.median(pairs) if pairs else None
    bench.page.goal(
        "growth: requests per CPU second with 2 threads over 1",
        "at least 0.95",
        f"{ratio:.2f}" if ratio else failed.get(two.name, "no measurement"),
        ratio >= 0.95 if ratio else None,
    )
    length_of_a_run(bench)


def length_of_a_run(bench):
    clients = [
        bench.peers(URL, seconds).meshbench("--rate", GROWTH_RATE, label=f"meshbench, {seconds} s")
        for seconds in (SHORT_S, LONG_S)
    ]
    runs, failed = bench.rounds("length", clients, bench.by_nginx)
    for taken in runs.values():
        for one in taken:
            one["rss_mib"] = one["rss_kib"] / 1024
    lines = [[name, spread(taken, "rss_mib", 1), spread(taken, "cpu", 1)] for name, taken in runs.items()]
    bench.page.row(
        "Growth with the length of a run",
        f"{GROWTH_RATE}/s, nginx.",
        ["run", "RSS, MiB", "CPU, µs/request"],
        lines,
        failed,
    )
    short, long = (median(runs.get(client.name, []), "rss_mib") for client in clients)
    bench.page.at_most(
        f"growth: memory of {LONG_S} s over {SHORT_S} s", long - short if short and long else None, 1, " MiB more", 2
    )


ROWS = {
    "h1": http1,
    "h2": http2,
    "grpc": grpc,
    "rate": constant,
    "stall": stalled,
    "bias": biased,
    "many": many,
    "growth": growth,
    "window": window,
}
