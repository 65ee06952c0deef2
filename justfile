# Short names for everyday tasks. Logic of more than a line lives in `cargo xtask`.

# List the tasks
default:
    @just --list

# Run the demo on real applications
demo *arguments:
    cargo run -- demo {{arguments}}

# Run every service in one process
one-process *arguments:
    cargo run -- up {{arguments}}

# Run the whole system in containers, for example `just up --profile monitoring`
up *arguments:
    cargo xtask stack up {{arguments}}

# Stop it; `just down --volumes` removes its data too
down *arguments:
    cargo xtask stack down {{arguments}}

# Follow its logs
logs *services:
    cargo xtask stack logs {{services}}

# Make the images of the services
image *arguments:
    cargo xtask image {{arguments}}

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

# Rules, dashboards, manifests, infrastructure, workflows
check-deploy *arguments:
    cargo xtask check-deploy {{arguments}}

# Licences, sources and duplicate crates (needs cargo-deny)
deny:
    cargo deny --disable-fetch check bans licenses sources

# Write the protobuf bindings again
codegen:
    cargo xtask codegen

# Fuzz every reader of bytes from outside
fuzz *arguments:
    cargo xtask fuzz {{arguments}}
