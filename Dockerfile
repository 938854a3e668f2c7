# syntax=docker/dockerfile:1
# Glimpse with the starter's weights inside: it starts with no network but the chat platforms'.
#
#   docker build --build-arg COMMIT=$(git rev-parse --short HEAD) --tag glimpse .
#   docker run --restart unless-stopped --stop-timeout 30 --memory 1200m \
#     --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp \
#     --volume glimpse-data:/data --env GLIMPSE_TELEGRAM_TOKEN=… glimpse
#
# deploy/README.md does the rest. To pin the base to the byte, name it by its digest:
#   docker buildx imagetools inspect python:3.12-slim-bookworm --format '{{.Manifest.Digest}}'
#   docker build --build-arg BASE=python:3.12-slim-bookworm@sha256:…
ARG BASE=docker.io/library/python:3.12-slim-bookworm

# --- the libraries that serving needs, in the versions of the lock ----------------------------
FROM ${BASE} AS libraries
SHELL ["/bin/sh", "-eu", "-c"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
# pip serves building, and stays out of what is shipped.
RUN python3 -m venv /opt/pip; \
    python3 -m venv --without-pip /opt/venv
ENV PATH=/opt/venv/bin:/opt/pip/bin:$PATH PIP_PYTHON=/opt/venv/bin/python
WORKDIR /build
COPY requirements.lock pyproject.toml ./
# conversion.txt makes the form that serves from PyTorch's, and is needed for nothing else. Two
# libraries come without their own requirements: OpenVINO without telemetry, tokenizers without the
# client of the model hub.
RUN python3 -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
print(*project["dependencies"], sep="\n")' > all.txt; \
    conversion='torch|transformers|peft|safetensors|gguf|efficientnet-lite-pytorch'; \
    bare='openvino|tokenizers'; \
    grep -E "^($conversion)\b" all.txt > conversion.txt; \
    grep -E "^($bare)\b" all.txt > bare.txt; \
    grep -vE "^($conversion|$bare)\b" all.txt > serving.txt; \
    pip install -q --constraint requirements.lock --requirement serving.txt; \
    pip install -q --constraint requirements.lock --no-deps --requirement bare.txt; \
    find /opt/venv -type d -name __pycache__ -prune -exec rm -rf {} +

# --- the weights: fetched, checked by SHA-256, the adapter merged, int8, OpenVINO's format -----
FROM libraries AS weights
# Where PyTorch publishes its CPU builds, asked only if pip's own settings offer none.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# The weights are fetched by the pip of the process that prepares them.
RUN python3 -m ensurepip >/dev/null; \
    torch="$(sed -n 's/^torch==//p' requirements.lock)+cpu"; \
    pip install -q --no-deps "torch==$torch" 2>/dev/null || \
    pip install -q --no-deps --index-url "$TORCH_INDEX" "torch==$torch"; \
    pip install -q --constraint requirements.lock --requirement conversion.txt
COPY model /build/model
ENV GLIMPSE_CACHE=/opt/weights PYTHONDONTWRITEBYTECODE=1
# It is loaded at once, so that what cannot run is not shipped. What OpenVINO compiled then is only
# for a processor like this one: compiling at each start takes two seconds, keeping it 200 MB.
RUN python3 -c 'from model.config import load_profile; from model.converted import load_converted; \
assert load_converted(load_profile("starter"), threads=2)'; \
    rm -rf /opt/weights/base /opt/weights/openvino/*/compiled; \
    find /opt/weights -name lock -delete; \
    find /opt/weights -exec touch --date @0 {} +

# --- the libraries without what nobody runs ---------------------------------------------------
FROM libraries AS serving
# Of OpenVINO, the CPU and its own format are used. Of bytecode there is only what is imported, for a
# container cannot write it later.
RUN site="$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; \
    openvino="$site/openvino"; libs="$openvino/libs"; \
    rm -rf "$openvino/cmake" "$openvino/include" "$openvino/tools" "$openvino"/frontend/*/; \
    rm -rf "$libs/cache.json" "$libs"/*.pc "$libs"/libopenvino_c.so.*; \
    find "$libs" -name 'libopenvino_*_plugin.so' ! -name '*_cpu_plugin.so' -delete; \
    find "$libs" -name 'libopenvino_*_frontend.so*' ! -name '*_ir_frontend.so*' -delete; \
    rm -rf "$site/pip" "$site"/pip-*.dist-info "$(dirname "$(command -v python3)")"/pip*; \
    find "$site" -type d -name tests -prune -exec rm -rf {} +; \
    find "$site" -name '*.pyi' -delete; \
    python3 -c 'import numpy, openvino, tokenizers, telegram.ext, discord.ext.commands, uvicorn; \
import uvicorn.protocols.http.h11_impl, uvicorn.lifespan.on, starlette.applications, rich.progress; \
import sqlite_utils, cryptography.fernet, prometheus_client, python_multipart, tomli_w, filelock; \
import pillow_heif, pydantic, platformdirs, tenacity, cachetools, jinja2, psutil; \
from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, \
TiffImagePlugin, WebPImagePlugin'

# --- Glimpse itself ---------------------------------------------------------------------------
FROM libraries AS code
COPY bot bot
COPY data data
COPY finetune finetune
COPY model model
COPY LICENSE README.md ./
RUN pip install -q --constraint requirements.lock setuptools; \
    pip install -q --no-deps --no-build-isolation --target /opt/code .; \
    mkdir /opt/adapters; \
    mv /opt/code/model/adapters/* /opt/adapters; \
    python3 -m compileall -q --invalidation-mode unchecked-hash /opt/code; \
    find /opt/code /opt/adapters -exec touch --date @0 {} +

# --- what runs --------------------------------------------------------------------------------
FROM ${BASE}
SHELL ["/bin/sh", "-eu", "-c"]
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin \
      glimpse; \
    install -d -o glimpse -g glimpse -m 0700 /data
# Rarely changed first: a change of code is a few megabytes; a new adapter is the weights, too, for
# its LoRA is merged into them.
COPY --from=serving /opt/venv /opt/venv
COPY --from=weights /opt/weights /opt/weights
COPY --from=code /opt/adapters /app/model/adapters
COPY --from=code /opt/code /app
ARG COMMIT=""
RUN echo "$COMMIT" > /app/bot/COMMIT
ENV PATH=/app/bin:/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/data \
    XDG_CONFIG_HOME=/data/config \
    XDG_STATE_HOME=/data/state \
    XDG_CACHE_HOME=/data/cache \
    GLIMPSE_SHIPPED_CACHE=/opt/weights \
    GLIMPSE_LOG=/data/log.db \
    GLIMPSE_LOG_FORMAT=json \
    GLIMPSE_HEALTH_HOST=127.0.0.1 \
    GLIMPSE_HEALTH_PORT=8081
LABEL org.opencontainers.image.title="Glimpse" \
      org.opencontainers.image.description="Answers questions about pictures on Telegram and Discord" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${COMMIT}"
WORKDIR /app
USER 10001:10001
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["glimpse", "health"]
ENTRYPOINT ["glimpse"]
CMD ["run", "--no-web"]
