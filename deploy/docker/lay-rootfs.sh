#!/bin/sh
# Builds every binary, static, and lays the file tree of each image into target/image/rootfs/IMAGE. The same
# commit gives the same bytes.
#
#   PROFILE=release|image   cargo profile (default: release)
#   SOURCE_DATE_EPOCH=N     time of every file, in seconds (default: the time of the commit)
#   REVISION=COMMIT         what the binaries say they are (default: the commit)
#   CA_BUNDLE=FILE          authorities that clients of OIDC issuers and buckets trust (default: the system's)
#
# Uses cargo-auditable (dependencies inside the binaries) and cargo-cyclonedx (a bill of materials beside them) where
# they are installed, and says so where not.
set -eu
cd "$(dirname "$0")/../.."

services="scoring-gateway model-server bias-monitor deployment-audit fcs"
triple=$(uname -m)-unknown-linux-gnu
profile=${PROFILE:-release}
ca_bundle=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
FCS_GIT_COMMIT=${REVISION:-$(git rev-parse HEAD)}
# The C library goes into the binary, the builder's folders do not.
RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/source"
# There the linker is LLVM's: it keeps one of functions with the same code, and packs relocations.
if [ "$(uname -m)" = x86_64 ]; then
  RUSTFLAGS="$RUSTFLAGS -C link-arg=-Wl,--icf=all -C link-arg=-Wl,-z,pack-relative-relocs"
fi
export SOURCE_DATE_EPOCH FCS_GIT_COMMIT RUSTFLAGS
PATH=$PWD/target/tools/bin:$PATH

auditable=
if cargo auditable --version >/dev/null 2>&1; then
  auditable=auditable
else
  echo "cargo-auditable is not installed: the binaries will not list their dependencies" >&2
fi
# shellcheck disable=SC2046,SC2086 # one argument per word
cargo $auditable build --locked --profile "$profile" --target "$triple" --target-dir target/image \
  $(printf -- '--package %s ' $services)

rootfs=target/image/rootfs
rm -rf "$rootfs"
for service in $services; do
  root=$rootfs/$service
  mkdir -p "$root/app" "$root/etc/ssl/certs" "$root/data"
  cp "target/image/$triple/$profile/$service" LICENSE "$root/app/"
  cp "$ca_bundle" "$root/etc/ssl/certs/ca-certificates.crt"
  echo 'fcs:x:65532:65532::/data:/nonexistent' >"$root/etc/passwd"
  echo 'fcs:x:65532:' >"$root/etc/group"
done

if cargo cyclonedx --version >/dev/null 2>&1; then
  cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$triple" --override-filename sbom.cdx
  for service in $services; do
    sed "s#file://$PWD/#file:///source/#g" "crates/$service/sbom.cdx.json" >"$rootfs/$service/app/sbom.cdx.json"
  done
  find crates -name sbom.cdx.json -delete
else
  echo "cargo-cyclonedx is not installed: no bill of materials" >&2
fi

find "$rootfs" -type d -exec chmod 0755 {} +
find "$rootfs" -type f -exec chmod 0644 {} +
for service in $services; do
  chmod 0755 "$rootfs/$service/app/$service"
  chmod 1777 "$rootfs/$service/data"
done
find "$rootfs" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
