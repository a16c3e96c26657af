"""How each tool is asked for the same thing, and how what it says of its run is read (milliseconds).

Every command that the bench runs is written here. A tool that is not on the machine, and an option that this
Meshbench does not have, becomes a client without a command: its line in the table says why.
"""

import json
import re
from pathlib import Path

from measure import Client

QUANTILES = ("50", "90", "95", "99", "99.9")
HEALTH = "grpc.health.v1.Health/Check"
K6 = """import http from 'k6/http';
export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ['p(50)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
  scenarios: { load: { executor: 'constant-arrival-rate', rate: Number(__ENV.RATE), timeUnit: '1s',
    duration: __ENV.SECONDS + 's', preAllocatedVUs: Number(__ENV.USERS), maxVUs: Number(__ENV.USERS) } },
};
export default function () { http.get(__ENV.URL); }
export function handleSummary(data) { return { stdout: JSON.stringify(data.metrics) }; }
"""


class Peers:
    """Clients for one measurement: where, how long, how many connections (and streams on each)."""

    def __init__(self, tools, folder, url, seconds, connections, streams=1):
        self.tools, self.folder, self.url, self.seconds = tools, Path(folder), url, seconds
        self.connections, self.streams = connections, streams

    def client(self, label, tool, words, told, missing=None, environment=None):
        why = self.tools.why.get(tool) or missing
        command = None if why else [self.tools.paths[tool], *words]
        return Client(label, command, told, why or "", environment or {})

    def meshbench(self, *more, label="meshbench", needs=(), target=None, seconds=None, streams=None):
        """`needs` are options that it may not have yet."""
        missing = next((why for option in needs if (why := self.tools.lacks(option))), None)
        words = [
            "run",
            target or self.url,
            "--connections",
            self.connections,
            "--duration",
            f"{seconds or self.seconds}s",
            "--no-save",
            "--json",
            "-",
            *more,
        ]
        words += ["--streams", streams] if streams else []
        return self.client(label, "meshbench", words, told_meshbench, missing)

    def wrk(self):
        words = ["-t1", f"-c{self.connections}", f"-d{self.seconds}s", "--latency", self.url]
        return self.client("wrk", "wrk", words, told_wrk)

    def oha(self, *more, label="oha"):
        words = ["--no-tui", "--output-format", "json", "-z", f"{self.seconds}s", "-c", self.connections, *more]
        return self.client(label, "oha", [*words, self.url], told_oha)

    def hey(self, rate=None):
        pace = ["-q", rate / self.connections] if rate else []
        words = ["-z", f"{self.seconds}s", "-c", self.connections, *pace, self.url]
        return self.client("hey", "hey", words, told_hey)

    def fortio(self, *more, rate=0, label="fortio", target=None):
        words = [
            "load",
            "-quiet",
            "-c",
            self.connections,
            "-qps",
            rate,
            "-t",
            f"{self.seconds}s",
            "-p",
            ",".join(QUANTILES),
            "-json",
            "-",
            *more,
            target or self.url,
        ]
        return self.client(label, "fortio", words, told_fortio)

    def h2load(self, *more, rate=None, label="h2load", target=None):
        pace = ["--rps", rate / self.connections] if rate else []
        words = ["-t", 1, "-c", self.connections, "-m", self.streams, "-D", self.seconds, *pace, *more]
        return self.client(label, "h2load", [*words, target or self.url], told_h2load)

    def vegeta(self, rate):
        targets, results = self.folder / "targets", self.folder / "vegeta.bin"
        targets.write_text(f"GET {self.url}\n")
        words = [
            "attack",
            "-targets",
            targets,
            "-rate",
            f"{rate}/s",
            "-duration",
            f"{self.seconds}s",
            "-workers",
            self.connections,
            "-max-workers",
            self.connections,
            "-connections",
            self.connections,
            "-output",
            results,
        ]
        return self.client("vegeta", "vegeta", words, lambda _: {})

    def k6(self, rate):
        script = self.folder / "k6.js"
        script.write_text(K6)
        environment = {
            "RATE": str(rate),
            "SECONDS": str(self.seconds),
            "USERS": str(self.connections),
            "URL": self.url,
            "HOME": str(self.folder),
        }
        settings = [word for name, value in environment.items() if name != "HOME" for word in ("-e", f"{name}={value}")]
        words = ["run", "--quiet", "--no-usage-report", "--log-output=none", *settings, script]
        return self.client("k6", "k6", words, told_k6, environment=environment)

    def ghz(self, target):
        words = [
            "--insecure",
            "--call",
            HEALTH.replace("/", "."),
            "-d",
            "{}",
            "-c",
            self.connections,
            "--connections",
            self.connections,
            "-z",
            f"{self.seconds}s",
            "-O",
            "json",
            target,
        ]
        return self.client("ghz", "ghz", words, told_ghz)

    # The rows.

    def http1(self):
        return [
            self.meshbench("--pacing", "max"),
            self.wrk(),
            self.h2load("--h1"),
            self.oha(),
            self.fortio(),
            self.hey(),
        ]

    def http2(self):
        meshbench = self.meshbench(
            "--pacing", "max", "--protocol", "http2", needs=("--protocol", "--streams"), streams=self.streams
        )
        clients = [meshbench, self.h2load(), self.oha("--http2", "-p", self.streams)]
        if self.streams > 1:
            return [*clients, Client("fortio -h2", None, missing="has no number of streams for HTTP/2")]
        return [*clients, self.fortio("-h2", label="fortio -h2")]

    def grpc(self, target):
        empty = self.folder / "empty-message"
        # Not compressed, and no bytes long.
        empty.write_bytes(bytes(5))
        url = f"http://{target}/{HEALTH}"
        call = ("--protocol", "grpc", "--grpc-method", HEALTH)
        needs = ("--protocol", "--grpc-method")
        meshbench = self.meshbench("--pacing", "max", *call, needs=needs, target=f"http://{target}/")
        framed = ("-d", empty, "-H", "content-type: application/grpc", "-H", "te: trailers")
        return [
            meshbench,
            self.h2load(*framed, target=url),
            self.ghz(target),
            self.fortio("-grpc", "-health", label="fortio -grpc", target=target),
        ]

    def constant(self, rate):
        even = ("-uniform", "-r", "0.00001")
        return [
            self.meshbench("--rate", rate),
            self.spinning(rate),
            self.oha("-q", rate, "--latency-correction", label="oha -q --latency-correction"),
            self.fortio(*even, rate=rate, label="fortio -uniform -r 10µs"),
            self.fortio(rate=rate),
            self.vegeta(rate),
            self.k6(rate),
            self.h2load("--h1", rate=rate, label="h2load --rps"),
            Client("wrk2", None, missing="not packaged by Debian"),
        ]

    def spinning(self, rate):
        return self.meshbench("--rate", rate, "--timer", "precise", label="meshbench, precise", needs=("--timer",))

    def stalled(self, rate):
        return [
            self.meshbench("--rate", rate),
            self.fortio(rate=rate),
            self.fortio("-nocatchup", rate=rate, label="fortio -nocatchup"),
            self.hey(rate),
            self.oha("-q", rate, label="oha -q"),
            self.oha("-q", rate, "--latency-correction", label="oha -q --latency-correction"),
            self.k6(rate),
        ]

    def biased(self, rate):
        return [
            self.meshbench("--rate", rate),
            self.spinning(rate),
            self.oha("-q", rate, label="oha -q"),
            self.fortio("-uniform", "-r", "0.00001", rate=rate, label="fortio -uniform -r 10µs"),
            self.fortio("-uniform", rate=rate, label="fortio -uniform"),
            self.hey(rate),
        ]

    def many(self, rate):
        """For a run that is interrupted: an hour is asked for."""
        self.seconds = 3600
        return [
            self.meshbench("--rate", rate),
            self.oha("-q", rate, label="oha -q"),
            self.fortio("-uniform", rate=rate),
            self.hey(rate),
            self.h2load("--h1", rate=rate, label="h2load --rps"),
        ]


def told_meshbench(text):
    run = json.loads(text)
    said = {f"p{share}": run["response_ms"].get(f"p{share}") for share in QUANTILES}
    said |= {f"service{share}": run["service_ms"].get(f"p{share}") for share in QUANTILES}
    said |= {f"lag{share}": run["lag_ms"].get(f"p{share}") for share in QUANTILES}
    requests = run["requests"]
    ended = requests["answered"] + requests["failed"] + requests["cancelled"]
    return said | {
        "reached": run["rate"]["achieved"],
        "told": ended if ended == requests["due"] else -1,
        "answers": requests["answered"],
    }


def told_wrk(text):
    return {"answers": int(re.search(r"(\d+) requests in", text).group(1))}


def told_oha(text):
    run = json.loads(text)
    answers = sum(run["statusCodeDistribution"].values())
    said = {f"p{share}": run["latencyPercentiles"][f"p{share}"] * 1e3 for share in QUANTILES}
    return said | {
        "reached": run["summary"]["requestsPerSec"],
        "answers": answers,
        "told": answers + sum(run["errorDistribution"].values()),
    }


def told_hey(text):
    said = {f"p{share}": float(seconds) * 1e3 for share, seconds in re.findall(r"(\d+)%+ in ([\d.]+) secs", text)}
    answers = sum(int(count) for count in re.findall(r"\[\d+\]\s+(\d+) responses", text))
    errors = sum(int(count) for count in re.findall(r"^\s+\[(\d+)\]\s+(?!\d+ responses)", text, re.MULTILINE))
    reached = re.search(r"Requests/sec:\s+([\d.]+)", text)
    return said | {"reached": float(reached.group(1)), "answers": answers, "told": answers + errors}


def told_fortio(text):
    run = json.loads(text)
    values = {at["Percentile"]: at["Value"] * 1e3 for at in run["DurationHistogram"]["Percentiles"]}
    count = run["DurationHistogram"]["Count"]
    return {f"p{share}": values[float(share)] for share in QUANTILES} | {
        "reached": run["ActualQPS"],
        "answers": count,
        "told": count,
    }


def told_h2load(text):
    return {"answers": int(re.search(r"(\d+) done", text).group(1))}


def told_k6(text):
    metrics = json.loads(text[text.index("{") :])
    values = metrics["http_req_duration"]["values"]
    answers = metrics["http_reqs"]["values"]["count"]
    dropped = metrics.get("dropped_iterations", {"values": {"count": 0}})["values"]["count"]
    return {f"p{share}": values[f"p({share})"] for share in QUANTILES} | {
        "reached": metrics["http_reqs"]["values"]["rate"],
        "answers": answers,
        "told": answers + dropped,
    }


def told_ghz(text):
    run = json.loads(text)
    return {"answers": run["statusCodeDistribution"].get("OK", 0), "reached": run["rps"]}
