# syntax=docker/dockerfile:1
# Two stages: the lock is installed with its hashes and compiled to bytecode, then only the result is kept.
# The base is pinned by digest: docker build --build-arg PYTHON=python:3.13-slim@sha256:… .
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /build
RUN python -m venv /opt/sidecar-injector
COPY requirements.txt ./
RUN /opt/sidecar-injector/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements.txt \
 && /opt/sidecar-injector/bin/python -m pip check
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY injector ./injector
RUN /opt/sidecar-injector/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/sidecar-injector/bin/python -m pip uninstall --yes --quiet pip setuptools \
 && /opt/sidecar-injector/bin/python -m compileall -q -j 0 /opt/sidecar-injector

FROM ${PYTHON}
COPY --from=build /opt/sidecar-injector /opt/sidecar-injector
ENV PATH=/opt/sidecar-injector/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Nobody, by number, so that runAsNonRoot can be checked; nothing is written but to /tmp.
USER 65532:65532
EXPOSE 8443 15014
ENTRYPOINT ["sidecar-injector"]
CMD ["serve", "--port=8443"]
