# syntax=docker/dockerfile:1
# Two stages: the lock is installed with its hashes and compiled to bytecode, then only the result is kept.
# scripts/image builds it, with the base by digest: scripts/image --base python:3.13-slim@sha256:…
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /build
RUN python -m venv /opt/sidecar-injector
COPY requirements.txt ./
# The builder's own pip configuration is there while pip runs, and in no layer.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf,required=false \
    --mount=type=secret,id=ca,required=false \
    /opt/sidecar-injector/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements.txt \
 && /opt/sidecar-injector/bin/python -m pip check
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY injector ./injector
RUN /opt/sidecar-injector/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/sidecar-injector/bin/python -m pip uninstall --yes --quiet pip setuptools \
 && /opt/sidecar-injector/bin/python -m compileall -q -j 0 /opt/sidecar-injector

FROM ${PYTHON}
# Nor is what the base would install with left: nothing in the image can add to it.
RUN python -c "import ensurepip, glob, shutil, sysconfig; \
    [shutil.rmtree(found) for found in [*glob.glob(sysconfig.get_path('purelib') + '/pip*'), *ensurepip.__path__]]" \
 && rm -rf /usr/local/bin/pip* /usr/share/python-wheels
COPY --from=build /opt/sidecar-injector /opt/sidecar-injector
ARG PYTHON
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title=sidecar-injector \
      org.opencontainers.image.description="Adds sidecars to Kubernetes pods from Istio's own templates" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.created=${CREATED} \
      org.opencontainers.image.base.name=${PYTHON}
ENV PATH=/opt/sidecar-injector/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Nobody, by number, so that runAsNonRoot can be checked; nothing is written but to /tmp.
USER 65532:65532
EXPOSE 8443 15014
ENTRYPOINT ["sidecar-injector"]
CMD ["serve", "--port=8443"]
