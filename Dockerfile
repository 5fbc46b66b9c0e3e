# Two stages: wheels are built once, with hashes, and only they reach the final image.
FROM python:3.11-slim AS builder
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock \
 && pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY proto/gen proto/gen
COPY actors actors
COPY clients clients
COPY daemon daemon
# The build backend is already there, from the lock file: nothing is fetched in this step.
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
LABEL org.opencontainers.image.title="tandemd" org.opencontainers.image.licenses="Apache-2.0"
RUN --mount=type=bind,from=builder,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
 && useradd --uid 10001 --user-group --home-dir /var/lib/tandem --create-home --shell /usr/sbin/nologin tandem
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Metrics and health are for everybody on the container's network. The API stays on its loopback (docker exec) until
# TANDEM_LISTEN=0.0.0.0:7443 comes with TANDEM_TLS_CERT and TANDEM_TLS_KEY.
ENV TANDEM_DATA_DIR=/var/lib/tandem TANDEM_HTTP_LISTEN=0.0.0.0:9464 TANDEM_LOG_FORMAT=json
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/tandem
# The sealed secrets' key and, unless a PostgreSQL server is configured, the database.
VOLUME /var/lib/tandem
# gRPC; metrics, health and webhooks.
EXPOSE 7443 9464
STOPSIGNAL SIGTERM
# Alive, not healthy: starting the container again does not mend a link.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/livez', timeout=4)"]
ENTRYPOINT ["tandemd"]
