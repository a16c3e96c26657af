#!/usr/bin/python3
"""Opens the window on the last run in history, runs it again, and closes the window when the run has ended.

Usage: dbus-run-session -- /usr/bin/python3 drive_window.py PROGRAM DATA_DIR SECONDS

Needs DISPLAY with a window manager, and in SMOKE the folder of the smoke test, whose eyes and hands it borrows.
"""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

# What a run takes before its first request and after its last.
REST_S = 1.5

found = importlib.util.spec_from_file_location("smoke", Path(os.environ["SMOKE"]) / "window.py")
smoke = importlib.util.module_from_spec(found)
found.loader.exec_module(smoke)


def main():
    program, data, seconds = sys.argv[1:]
    children = [subprocess.Popen([smoke.LAUNCHER, "--launch-immediately"])]
    try:
        smoke.until("the accessibility bus is on", smoke.switch_on)
        children.append(subprocess.Popen([program, "--data-dir", data]))
        run_again(children[-1], float(seconds))
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait(smoke.DEADLINE_S)


def run_again(window, seconds):
    app = smoke.until("the window", lambda: smoke.application(window))
    smoke.until("the first page", lambda: smoke.find(app, "page tab", "History"))
    smoke.xdotool("key", "--clearmodifiers", "ctrl+k")
    smoke.xdotool("type", "--delay", "30", "Open the last run")
    smoke.xdotool("key", "Return")
    smoke.click(smoke.until("a button named Run again", lambda: smoke.find(app, "push button", "Run again")))
    # To look is work for the window, which nobody gives it while it is measured.
    time.sleep(seconds + REST_S)
    smoke.until("the end of the run", lambda: smoke.find(app, "push button", "Run again"))


if __name__ == "__main__":
    main()
