# One image for every process of a house: a server, the relay, the consumer, and the commands of an operator.
#   docker build -t stagedoor .    (BuildKit is not needed)

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/stagedoor
ENV PATH=/opt/stagedoor/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# First what changes seldom. Each file is checked against its hash, and nothing is compiled: there is no compiler here.
COPY requirements/run.txt requirements/
RUN pip install --only-binary :all: --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip install --no-deps --no-index dist/*.whl \
    && pip uninstall --yes pip

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/stagedoor --create-home stagedoor
COPY --from=build /opt/stagedoor /opt/stagedoor
ENV PATH=/opt/stagedoor/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STAGEDOOR_HOST=0.0.0.0 \
    STAGEDOOR_LOG_FORMAT=json
USER stagedoor
# Here are the database and the secret of a house that is one process. With a database server nothing is kept here.
WORKDIR /var/lib/stagedoor
VOLUME /var/lib/stagedoor
EXPOSE 8080
STOPSIGNAL SIGTERM
# readyz: a server that is being stopped, or has lost its database, gets no more buyers.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=2 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["stagedoor"]
CMD ["serve"]
