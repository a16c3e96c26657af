//! How `State` changes: one line per arm, the work in `update/<area>.rs`. Pure.
