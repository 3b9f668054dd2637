# A worker: the trainer, and what claims jobs and runs them. Build the trainer first, then
#   docker build -f docker/worker.Dockerfile -t datacomp-worker .
# Filter plugins run in bubblewrap, which needs user namespaces: without them in the container
# (--security-opt seccomp=unconfined or a profile that allows them) the feature is off.
FROM datacomp-trainer
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md /src/
COPY datacomp /src/datacomp
COPY filters /src/filters
COPY server /src/server
COPY leaderboard /src/leaderboard
RUN /venv/bin/pip install --no-cache-dir '/src[worker]' && rm -r /src
USER datacomp
VOLUME /work
CMD ["datacomp", "worker"]
