//! One binary: the window, and the same in a terminal.

fn main() {}
