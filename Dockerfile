# The operator: `docker build -t serin .`, then `docker run serin --help`.
#
# Everything that is installed is named with its hash in requirements/, the tools that make the wheel included.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
# requirements/jobs.txt makes the image of Jobs (`evaluationImage`): the same, with the extras of their programs.
ARG REQUIREMENTS=requirements/run.txt
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/run.txt requirements/jobs.txt requirements/dev.txt requirements/
RUN python -m venv /opt/serin \
 && /opt/serin/bin/pip install --require-hashes -r "${REQUIREMENTS:-requirements/run.txt}"
# Of the development tools only those that make a wheel; a test knows their names.
RUN awk '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ {wanted = 1} wanted; !/\\$/ {wanted = 0}' \
      requirements/dev.txt > requirements/build.txt \
 && pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/serin/bin/pip install --no-deps --no-index /dist/serin-*.whl \
 && /opt/serin/bin/pip check \
 && /opt/serin/bin/pip uninstall --yes --quiet pip setuptools \
 && /opt/serin/bin/serin run --help

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="serin" \
      org.opencontainers.image.description="A Kubernetes operator that promotes or rolls back machine-learning models on statistical evidence." \
      org.opencontainers.image.licenses="Apache-2.0"
# Bytecode was compiled when it was installed; nothing is written at run time, so the root file system may be read-only.
# A user that is a number has neither a home nor a name unless they are said; the Kubernetes client looks for the one
# when it is imported, kopf for the other when it starts.
ENV HOME=/ USER=serin
ENV PATH=/opt/serin/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /opt/serin /opt/serin
# By number, so that runAsNonRoot can be checked.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["serin", "run"]
