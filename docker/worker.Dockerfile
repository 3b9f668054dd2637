# What filters, trains and evaluates (trainer), and that with what claims jobs (worker); no service.
# Build from the repository's root:
#   docker build -f docker/worker.Dockerfile --target trainer -t datacomp-trainer .
#   docker build -f docker/worker.Dockerfile --target worker -t datacomp-worker .
# Run with a GPU: docker run --gpus all -v /pools:/pools datacomp-trainer datacomp train ...
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY datacomp datacomp
COPY filters filters
COPY server server
COPY leaderboard leaderboard
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir '.[train,tiny,download,worker,s3]'

FROM python:3.11-slim-bookworm AS trainer
RUN useradd --uid 10001 --create-home datacomp && install -d -o datacomp /work
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER datacomp
WORKDIR /work
CMD ["datacomp", "--help"]

# Filter plugins run in bubblewrap, which needs leave to make user namespaces: docs/plugins.md says
# how to give it. Without it the worker takes no plugins.
FROM trainer AS worker
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*
USER datacomp
VOLUME /work
CMD ["datacomp", "worker"]
