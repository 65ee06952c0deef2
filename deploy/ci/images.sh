#!/bin/sh
# Images of one commit, by digest.
#
#   images.sh build          builds and pushes each image, once, and tags it built-COMMIT
#   images.sh mark STATE     says of the images in images.json that they passed STATE: STATE-COMMIT names the same digest
#   images.sh resolve STATE  writes the digests of STATE-COMMIT to images.json; fails where there is none
#
# REGISTRY, REGISTRY_USER, REGISTRY_TOKEN, COMMIT
set -eu
services="scoring-gateway model-server bias-monitor deployment-audit"
: "${REGISTRY:?}" "${COMMIT:?}"
if [ -n "${REGISTRY_TOKEN:-}" ]; then
  printf '%s' "$REGISTRY_TOKEN" | docker login --username "$REGISTRY_USER" --password-stdin "${REGISTRY%%/*}"
fi

name() { echo "$REGISTRY/fair-credit-scorer/$1"; }
digest() { docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"; }

# Writes {"SERVICE": "NAME@DIGEST", …} for a tag that exists.
write() {
  {
    separator="{"
    for service in $services; do
      found=$(digest "$(name "$service"):$1-$COMMIT")
      printf '%s\n "%s": "%s@%s"' "$separator" "$service" "$(name "$service")" "$found"
      separator=","
    done
    printf '\n}\n'
  } >images.json.part
  mv images.json.part images.json
  cat images.json
}

case "${1:?build, mark or resolve}" in
build)
  for service in $services; do
    # A commit that was built is not built again: the digest that staging saw stays the one.
    digest "$(name "$service"):built-$COMMIT" >/dev/null 2>&1 ||
      docker buildx build --target "$service" --build-arg "REVISION=$COMMIT" --push --tag "$(name "$service"):built-$COMMIT" .
  done
  write built
  ;;
mark)
  for service in $services; do
    image=$(sed -n "s/^ \"$service\": \"\(.*\)\".*/\1/p" images.json)
    docker buildx imagetools create --tag "$(name "$service"):${2:?}-$COMMIT" "$image"
  done
  ;;
resolve) write "${2:?}" ;;
*) echo "build, mark or resolve" >&2 && exit 2 ;;
esac
