"""The programs that are compared: where they come from, at which version, and why one is missing."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshbench"
PATH = f"{os.environ['PATH']}:/usr/sbin"
DEBIAN = {
    "nginx": "nginx-light",
    "wrk": "wrk",
    "hey": "hey",
    "h2load": "nghttp2-client",
    "strace": "strace",
    "tcpdump": "tcpdump",
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "xdotool": "xdotool",
    "dbus-run-session": "dbus-daemon",
}
OHA = "1.16.0"
GO = {
    "fortio": ("1.75.3", "fortio.org/fortio", "."),
    "vegeta": ("12.13.0", "github.com/tsenart/vegeta/v12", "."),
    "k6": ("1.8.1", "go.k6.io/k6", "."),
    "ghz": ("0.93.0", "github.com/bojand/ghz", "cmd/ghz"),
}
# Fortio's scripts stand on a module that the Go proxy does not always serve. Nothing that sends load needs it.
FORTIO_WITHOUT_SCRIPTS = """// Package grol stands in for the scripts, which are left out.
package grol

import "fmt"

// ScriptMode says that there are none.
func ScriptMode(string) int {
\tfmt.Println("built without scripts")
\treturn 1
}
"""


class Tools:
    """Programs by name; what is missing is missing with a reason, and the rows say it."""

    def __init__(self, meshbench, stamp, install):
        self.paths, self.why = {}, {}
        if install:
            install_debian()
        for program, package in DEBIAN.items():
            self.take(program, shutil.which(program, path=PATH), f"apt-get install {package}")
        for name, build in (("oha", build_oha), *((name, build_go) for name in GO)):
            path = place(name)
            if install and not path.exists():
                build(name, path)
            self.take(name, path if path.exists() else None, "benches/compare/run --tools builds it")
        self.take("meshbench", meshbench or build_meshbench(), "cargo build --profile dist")
        self.take("stamp", stamp or build_stamp(), "cargo bench --bench stamp --no-run")
        self.help = subprocess.run(
            [self.paths["meshbench"], "run", "--help"], capture_output=True, text=True, check=False
        ).stdout

    def take(self, name, path, how):
        if path and Path(path).exists():
            self.paths[name] = str(Path(path).resolve())
        else:
            self.why[name] = f"not here: {how}"

    def lacks(self, option):
        """Why Meshbench cannot be asked for that; none if it can."""
        known = re.search(rf"{re.escape(option)}\b", self.help)
        return None if known else f"this meshbench has no {option}"

    def versions(self):
        asked = {
            "nginx": ["-v"],
            "wrk": ["-v"],
            "h2load": ["--version"],
            "oha": ["--version"],
            "meshbench": ["--version"],
            "fortio": None,
            "vegeta": None,
            "k6": None,
            "ghz": None,
            "hey": None,
        }
        for name, words in asked.items():
            if name not in self.paths:
                yield f"{name} ({self.why[name]})"
            elif name in GO:
                yield f"{name} {GO[name][0]}"
            else:
                yield first_line([self.paths[name], *words]) if words else name


def first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().split("\n")[0]


def place(name):
    version = OHA if name == "oha" else GO[name][0]
    return CACHE / "tools" / f"{name}-{version}" / "bin" / name


def install_debian():
    missing = sorted({package for program, package in DEBIAN.items() if not shutil.which(program, path=PATH)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        print(f"not a Debian system; missing: {' '.join(missing)}", file=sys.stderr)
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *missing]):
        command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *words]
        subprocess.run(command, check=False, stdout=sys.stderr)


def build_oha(_name, path):
    command = ["nice", "cargo", "install", "--locked", "--root", path.parents[1], "--version", OHA, "oha"]
    command += ["--no-default-features", "--features", "rustls"]
    subprocess.run(command, check=False, env={**os.environ, "CARGO_TARGET_DIR": str(CACHE / "oha-target")})


def build_go(name, path):
    version, module, package = GO[name]
    if not shutil.which("go"):
        print(f"{name} is not built: Go is missing", file=sys.stderr)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false", "GOBIN": str(path.parent)}
    if name == "fortio":
        build_fortio(path, f"{module}@v{version}", environment)
        return
    wanted = module if package == "." else f"{module}/{package}"
    subprocess.run(["nice", "go", "install", f"{wanted}@v{version}"], check=False, env=environment)


def build_fortio(path, module, environment):
    with tempfile.TemporaryDirectory() as folder:
        fetched = subprocess.run(
            ["go", "mod", "download", "-json", module],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode != 0:
            print(f"{module} could not be had: {fetched.stdout}{fetched.stderr}", file=sys.stderr)
            return
        source = Path(folder) / "source"
        shutil.copytree(json.loads(fetched.stdout)["Dir"], source)
        for at in [source, *source.rglob("*")]:
            at.chmod(at.stat().st_mode | 0o200)
        for script in (source / "grol").glob("*.go"):
            script.unlink()
        (source / "grol" / "grol.go").write_text(FORTIO_WITHOUT_SCRIPTS)
        for command in (
            ["go", "mod", "edit", "-droprequire", "grol.io/grol"],
            ["nice", "go", "build", "-o", path, "."],
        ):
            subprocess.run(command, cwd=source, env=environment, check=False)


def build_meshbench():
    # As it is shipped.
    subprocess.run(["cargo", "build", "--profile", "dist", "--locked"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "dist" / "meshbench"


def build_stamp():
    command = [
        "cargo",
        "build",
        "--release",
        "--locked",
        "--no-default-features",
        "--bench",
        "stamp",
        "--message-format",
        "json",
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == "stamp" and message.get("executable"):
            return message["executable"]
    return None


if __name__ == "__main__":
    # The tests need some of them too.
    for wanted in sys.argv[1:]:
        build_go(wanted, place(wanted))
