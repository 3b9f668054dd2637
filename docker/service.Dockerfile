# The service and the board. Build from the repository's root:
#   docker build -f docker/service.Dockerfile -t datacomp-service .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY datacomp datacomp
COPY filters filters
COPY server server
COPY leaderboard leaderboard
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir '.[server,postgres,s3]'

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home datacomp && install -d -o datacomp /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DATACOMP_SERVER_DATA_DIR=/data
USER datacomp
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Longer than DATACOMP_SERVER_STOP_SECONDS twice: requests first, then the job in hand.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["datacomp", "serve", "--host", "0.0.0.0", "--port", "8000", "--data", "/data"]
