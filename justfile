# Short names for everyday tasks. Logic of more than a line lives in `cargo xtask`.

# List the tasks
default:
    @just --list

# Run the demo on real applications
demo *arguments:
    cargo run -- demo {{arguments}}

# Run every service in one process
up *arguments:
    cargo run -- up {{arguments}}

# Run one service by itself, for example `just run scoring-gateway`
run service *arguments:
    cargo run --package {{service}} -- {{arguments}}

# Every test, against real PostgreSQL and Redis
test:
    cargo xtask test

# The tests of one crate
test-crate name:
    cargo xtask test --package {{name}}

# Format, clippy, layers, file sizes, contracts
check:
    cargo xtask check

# Licences, sources and duplicate crates (needs cargo-deny)
deny:
    cargo deny --disable-fetch check bans licenses sources

# Write the protobuf bindings again
codegen:
    cargo xtask codegen

# Fuzz every reader of bytes from outside
fuzz *arguments:
    cargo xtask fuzz {{arguments}}
