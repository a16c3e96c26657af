"""A run in an open window against the same run without one."""


def window(bench):
    why = "no driver of the window here yet"
    bench.page.goal("window open: lag p99 and CPU a request", "at most 1.05 × without", why, None)
    bench.page.row("With the window open", "10 000/s.", ["tool", "why"], [], {"meshbench, window": why})
