"""What the network saw: from each request's packet to its answer's, from a capture on loopback."""

import os
import signal
import struct
import subprocess
import time
from pathlib import Path

from targets import pinned

NANO_MAGIC = 0xA1B23C4D
START_MAX_S = 10.0


class Capture:
    """tcpdump with a ring buffer, on the target's core, for one run."""

    def __init__(self, tools, core, folder, port):
        self.port, self.file, log = port, Path(folder) / "capture.pcap", Path(folder) / "tcpdump.log"
        command = [
            tools.paths["tcpdump"],
            "-i",
            "lo",
            "-n",
            "-s",
            "96",
            "-B",
            "16384",
            "-w",
            self.file,
            "--time-stamp-precision=nano",
            *(["-Z", "root"] if os.geteuid() == 0 else []),
            f"tcp port {port} and greater 70",
        ]
        with log.open("w") as said:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=said, stdin=subprocess.DEVNULL, preexec_fn=pinned(core)
            )
        deadline = time.monotonic() + START_MAX_S
        while "listening on" not in log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise OSError(f"tcpdump: {log.read_text().strip()}")
            time.sleep(0.02)

    def finish(self):
        """Microseconds from request to answer, sorted."""
        # What was captured last still lies in the ring buffer.
        time.sleep(1.1)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return sorted(waits(self.file.read_bytes(), self.port))


def waits(data, port):
    """One request at a time on a connection is assumed: HTTP/1.1 without pipelining."""
    order = "<" if struct.unpack("<I", data[:4])[0] == NANO_MAGIC else ">"
    if struct.unpack(f"{order}I", data[:4])[0] != NANO_MAGIC:
        raise ValueError("not a capture with nanoseconds")
    asked, at = {}, 24
    while at + 16 <= len(data):
        seconds, nanos, kept, _ = struct.unpack_from(f"{order}IIII", data, at)
        packet, at = data[at + 16 : at + 16 + kept], at + 16 + kept
        # Ethernet (14 bytes) on loopback, then IPv4.
        if len(packet) < 54 or packet[12:14] != b"\x08\x00":
            continue
        tcp = 14 + (packet[14] & 15) * 4
        source, target = struct.unpack_from(">HH", packet, tcp)
        payload = struct.unpack_from(">H", packet, 16)[0] - (tcp - 14) - (packet[tcp + 12] >> 4) * 4
        moment = seconds * 1_000_000_000 + nanos
        if payload <= 0:
            continue
        if target == port:
            asked.setdefault(source, moment)
        elif source == port and target in asked:
            yield (moment - asked.pop(target)) / 1e3
