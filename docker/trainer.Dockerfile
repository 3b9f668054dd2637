# Everything that filters, trains and evaluates; no service. Build from the repository's root:
#   docker build -f docker/trainer.Dockerfile -t datacomp-trainer .
# Run with a GPU: docker run --gpus all -v /pools:/pools datacomp-trainer datacomp train ...
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY datacomp datacomp
COPY filters filters
COPY server server
COPY leaderboard leaderboard
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir '.[train,s3]'

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home datacomp && install -d -o datacomp /work
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER datacomp
WORKDIR /work
CMD ["datacomp", "--help"]
