#!/usr/bin/python3
"""The window as a screen reader and a keyboard meet it: names over AT-SPI, real pointer and keys over X.

Usage: dbus-run-session -- /usr/bin/python3 window.py PROGRAM DATA_DIR

Needs DISPLAY with a window manager. Exits with 0 if all holds, else says what was awaited and what was there.
"""

import os
import subprocess
import sys
import time

LAUNCHER = "/usr/libexec/at-spi-bus-launcher"
DEADLINE_S = 60.0
LOOK_EVERY_S = 0.1
DEPTH_MAX = 60
TYPED = "checkout"

try:
    import gi

    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi, Gio, GLib
except (ImportError, ValueError) as missing:
    sys.exit(f"AT-SPI for Python is missing ({missing}): apt-get install python3-pyatspi gir1.2-atspi-2.0")


def main():
    program, data = sys.argv[1:]
    if not os.path.exists(LAUNCHER):
        sys.exit(f"{LAUNCHER} is missing: apt-get install at-spi2-core")
    children = [subprocess.Popen([LAUNCHER, "--launch-immediately"])]
    try:
        until("the accessibility bus is on", switch_on)
        children.append(subprocess.Popen([program, "--data-dir", data]))
        walk_through(children[-1])
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait(DEADLINE_S)


def walk_through(window):
    app = until("the window is on the accessibility bus", lambda: application(window))
    button = until("a button named Try it", lambda: find(app, "push button", "Try it"))
    click(button)
    until("a button named Stop, after a real click on Try it", lambda: find(app, "push button", "Stop"))
    xdotool("key", "--clearmodifiers", "ctrl+5")
    search = until("a field named Search runs, after Ctrl+5", lambda: find(app, "entry", "Search runs"))
    click(search)
    xdotool("type", "--delay", "30", TYPED)
    until(
        f"the field says {TYPED}, after it was typed",
        lambda: text_of(find(app, "entry", "Search runs")) == TYPED or None,
    )
    unnamed = [f"{role} at {at}" for role, name, at in interactive(app) if not name]
    if unnamed:
        sys.exit("without a name for a screen reader: " + ", ".join(unnamed))


def switch_on():
    """Says that assistive technology is present; programs publish nothing before."""
    try:
        bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
        arguments = GLib.Variant("(ssv)", ("org.a11y.Status", "IsEnabled", GLib.Variant("b", True)))
        bus.call_sync(
            "org.a11y.Bus", "/org/a11y/bus", "org.freedesktop.DBus.Properties", "Set", arguments,
            None, Gio.DBusCallFlags.NONE, -1, None,
        )  # fmt: skip
        return True
    except GLib.Error:
        return None


def application(window):
    if window.poll() is not None:
        sys.exit(f"the program ended with {window.returncode}")
    desktop = Atspi.get_desktop(0)
    desktop.clear_cache()
    for at in range(desktop.get_child_count()):
        app = desktop.get_child_at_index(at)
        if app is not None and app.get_process_id() == window.pid:
            return app
    return None


def everything(thing, depth=0):
    yield thing
    if depth < DEPTH_MAX:
        for at in range(thing.get_child_count()):
            child = thing.get_child_at_index(at)
            if child is not None:
                yield from everything(child, depth + 1)


def now(app):
    """Everything in the window as it is now; nothing when it changes while one looks."""
    app.clear_cache()
    try:
        return list(everything(app))
    except GLib.Error:
        return []


def find(app, role, name):
    for thing in now(app):
        try:
            if thing.get_role_name() == role and thing.get_name() == name:
                return thing
        except GLib.Error:
            return None
    return None


def interactive(app):
    roles = {"push button", "toggle button", "check box", "radio button", "entry", "combo box", "page tab", "slider"}
    for thing in now(app):
        role = thing.get_role_name()
        if role in roles:
            place = thing.get_extents(Atspi.CoordType.SCREEN)
            yield role, thing.get_name(), (place.x, place.y)


def text_of(thing):
    if thing is None:
        return None
    return Atspi.Text.get_text(thing, 0, Atspi.Text.get_character_count(thing))


def click(thing):
    place = thing.get_extents(Atspi.CoordType.SCREEN)
    across, down = place.x + place.width // 2, place.y + place.height // 2
    xdotool("mousemove", "--sync", str(across), str(down), "click", "1")


def xdotool(*arguments):
    try:
        subprocess.run(["xdotool", *arguments], check=True, timeout=DEADLINE_S)
    except FileNotFoundError:
        sys.exit("xdotool is missing: apt-get install xdotool")


def until(awaited, look):
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            found = look()
        except GLib.Error:
            found = None
        if found is not None:
            print(f"ok: {awaited}", flush=True)
            return found
        if time.monotonic() > deadline:
            sys.exit(f"not within {DEADLINE_S:.0f} s: {awaited}\n{inventory()}")
        time.sleep(LOOK_EVERY_S)


def inventory():
    """What a screen reader is told, for the message of a failure."""
    desktop = Atspi.get_desktop(0)
    lines = []
    for thing in now(desktop):
        try:
            lines.append(f"{thing.get_role_name()} {thing.get_name()!r}")
        except GLib.Error:
            continue
    return "\n".join(lines)


if __name__ == "__main__":
    main()
