#!/usr/bin/env bash
# Builds the container with podman as an operator's Docker would: from a stand-in of the official
# base image (Debian's own Python, by debootstrap), for no image registry need be reachable.
# Needs root, podman, debootstrap and runc. Usage: build.sh TAG
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=${1:-glimpse:test}
base=localhost/glimpse-test-base:bookworm
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if ! podman image exists "$base"; then
  echo "Making the stand-in for the base image..."
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm \
    "$scratch/root" >"$scratch/log" || { tail -n 20 "$scratch/log" >&2; exit 1; }
  rm -rf "$scratch"/root/var/cache/apt/* "$scratch"/root/var/lib/apt/lists/* \
    "$scratch"/root/usr/share/{doc,man,locale}/*
  tar -C "$scratch/root" -c . | podman import -q - "$base"
fi

# What this machine's pip knows of package indexes and certificates, for the pip of the build.
.venv/bin/python - >"$scratch/pip.conf" <<'PYTHON'
import subprocess
import sys

listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True,
                        capture_output=True, text=True).stdout
known = {line.split(".", 1)[1] for line in listed.splitlines() if line[0] == "g" or ":env:" in line}
print("[global]")
for setting in sorted(known):
    name, _, value = setting.partition("=")
    if name not in {"constraint", "cert", "disable-pip-version-check"}:
        print(f"{name} = {value.strip(chr(39))}")
PYTHON
volumes=(--volume "$scratch/pip.conf:/etc/pip.conf:ro"
  --volume /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro)
# Indexes and wheels on this machine's disk; an index refers to files beside it.
for folder in $(sed -nE 's# (file://)?(/)#\n\2#gp' "$scratch/pip.conf" | grep '^/' |
  sed 's#/simple/*$##' | sort -u); do
  [[ -d $folder ]] && volumes+=(--volume "$folder:$folder:ro")
done

podman build --isolation chroot --network host --format docker --layers --quiet \
  "${volumes[@]}" --build-arg BASE="$base" \
  --build-arg COMMIT="$(git rev-parse --short HEAD)" --tag "$tag" . >"$scratch/log" 2>&1 ||
  { tail -n 30 "$scratch/log" >&2; exit 1; }
podman image inspect "$tag" --format '{{.Size}}' |
  awk -v tag="$tag" '{ printf "%s is built: %.0f MB.\n", tag, $1 / 1e6 }'
