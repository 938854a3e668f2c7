#!/usr/bin/env bash
# `make test-image`: builds the container and runs it for real. See build.sh for what that needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in podman debootstrap runc; do
  command -v "$tool" >/dev/null ||
    { echo "make test-image needs $tool (apt-get install podman debootstrap runc)." >&2; exit 1; }
done
tests/image/build.sh glimpse:test
IMAGE=localhost/glimpse:test .venv/bin/python -m pytest tests/image -s -p no:cacheprovider "$@"
