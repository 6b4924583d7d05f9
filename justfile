# Every day's commands. `just` alone lists them.

default:
    @just --list

# Before handing over: format, lints, tests, documents.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# A harmless server on 127.0.0.1:5300 with the built-in example family. Stop it with Ctrl-C.
run:
    cargo run --release

# Rewrites the expected files of the tests. Read that diff as carefully as code.
golden:
    UPDATE_GOLDENS=1 cargo test --test lists

# Dependencies: licences, sources, advisories (needs cargo-deny).
deny:
    cargo deny check

# One benchmark, such as `just bench compile`. They need the real lists.
bench name:
    cargo bench --bench {{name}}

# One fuzz target for a minute, such as `just fuzz query` (needs nightly and cargo-fuzz).
fuzz target seconds="60":
    cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}} -rss_limit_mb=2048

# Makes the starter lists again from the real ones.
starter:
    blocklists/make-starter.sh
