#!/usr/bin/env bash
# `make test-ray`: installs Ray into an environment of its own, and runs deploy/ray on two hosts,
# which are network namespaces of this machine. Needs Linux, root and iproute2.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v ip >/dev/null && [ "$(id -u)" = 0 ] ||
  { echo "make test-ray needs root and ip (apt-get install iproute2)." >&2; exit 1; }
venv=${RAY_VENV:-.venv-ray}
if [ ! -e "$venv/.ready" ]; then
  echo "Installing Ray into $venv..."
  .venv/bin/python -m venv "$venv"
  # What Glimpse has already is taken from its own environment.
  .venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
    >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/glimpse.pth"
  "$venv/bin/python" -m pip --disable-pip-version-check install -qq \
    --constraint requirements.lock --requirement deploy/ray/requirements.lock
  touch "$venv/.ready"
fi
RAY=1 "$venv/bin/python" -m pytest tests/ray -s -p no:cacheprovider "$@"
