//! The `normalize` stop: names as lists write them become gate keys.
