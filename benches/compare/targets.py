"""What load is sent to, each with a core to itself: nginx, the stamping server, Fortio's gRPC server."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

NGINX_PORT, NGINX_H2_PORT, STAMP_PORT, GRPC_PORT, FORTIO_PORT = 18_480, 18_481, 18_485, 18_490, 18_491
URL = f"http://127.0.0.1:{NGINX_PORT}/"
H2_URL = f"http://127.0.0.1:{NGINX_H2_PORT}/"
STAMP_URL = f"http://127.0.0.1:{STAMP_PORT}/"
GRPC = f"127.0.0.1:{GRPC_PORT}"
START_MAX_S = 15.0
CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; tcp_nodelay on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} backlog=16384;
    location = /status {{ stub_status; }}
    location / {{ default_type text/plain; return 200 "ok\\n"; }}
  }}
  server {{
    listen 127.0.0.1:{h2_port} backlog=4096{listen_h2}; {h2_on}
    http2_max_concurrent_streams 1024;
    location / {{ default_type text/plain; return 200 "ok\\n"; }}
  }}
}}
"""


class Precedence:
    """Over whatever else the machine does, the same for targets and clients."""

    first = False


class Nginx:
    def __init__(self, tools, core):
        self.folder = tempfile.mkdtemp(prefix="meshbench-nginx-")
        program = tools.paths["nginx"]
        config = Path(self.folder) / "nginx.conf"
        new = nginx_version(program) >= (1, 25, 1)
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
        config.write_text(
            CONFIG.format(
                folder=self.folder,
                port=NGINX_PORT,
                h2_port=NGINX_H2_PORT,
                files=files,
                connections=min(files - 100, 16_384),
                listen_h2="" if new else " http2",
                h2_on="http2 on;" if new else "",
            )
        )
        log = Path(self.folder) / "error.log"
        self.process = subprocess.Popen([program, "-p", self.folder, "-c", config, "-e", log], preexec_fn=pinned(core))
        wait_until(self.served, self.process, lambda: f"nginx did not start: {log.read_text()}")

    def served(self):
        """How many requests nginx has answered, this question included."""
        with urllib.request.urlopen(URL + "status", timeout=5) as answer:
            return int(answer.read().split()[9])

    def stop(self):
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Stamp:
    """One life of the stamping server: as long as one client's run."""

    def __init__(self, tools, core, rate=None, stall=None):
        words = [
            "--port",
            str(STAMP_PORT),
            *(["--rate", str(rate)] if rate else []),
            *(["--stall", stall] if stall else []),
        ]
        self.process = subprocess.Popen(
            [tools.paths["stamp"], *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(core),
        )
        line = self.process.stdout.readline()
        if not line.strip().isdigit():
            sys.exit(f"the stamping server did not start: {line}")

    def finish(self):
        said, _ = self.process.communicate(timeout=60)
        return json.loads(said)


class FortioServer:
    def __init__(self, tools, core):
        command = [
            tools.paths["fortio"],
            "server",
            "-grpc-port",
            GRPC,
            "-http-port",
            f"127.0.0.1:{FORTIO_PORT}",
            "-redirect-port",
            "disabled",
            "-tcp-port",
            "disabled",
            "-udp-port",
            "disabled",
            "-loglevel",
            "error",
        ]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GOMAXPROCS": "1"},
            preexec_fn=pinned(core),
        )
        ask = f"http://127.0.0.1:{FORTIO_PORT}/debug"
        wait_until(
            lambda: urllib.request.urlopen(ask, timeout=5).close(),
            self.process,
            lambda: "Fortio's server did not start",
        )

    def stop(self):
        end(self.process)


def pinned(core):
    """What a target or client does before it starts: takes its place, and the precedence that was asked for."""
    cores = {core} if isinstance(core, int) else set(core)

    def prepare():
        os.sched_setaffinity(0, cores)
        if Precedence.first:
            # Niceness would not do: it counts only among what shares a session or a control group.
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))

    return prepare


def wait_until(answers, process, complaint):
    deadline = time.monotonic() + START_MAX_S
    while True:
        try:
            answers()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                sys.exit(complaint())
            time.sleep(0.05)


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def nginx_version(program):
    done = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in done.stderr.rsplit("/", 1)[1].split()[0].split("."))
