# The reference app's image. Nothing in it depends on the platform: `docker build --platform linux/arm64` or linux/amd64, both work.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY app/requirements.txt /build/requirements.txt
RUN /venv/bin/pip install --require-hashes --only-binary=:all: --no-compile -r /build/requirements.txt \
    && /venv/bin/pip uninstall --yes pip
COPY app/ /srv/app/
# Compiled here, as the running container cannot write; never checked against the source, which does not change in an image.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /venv /srv/app

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /srv
COPY --from=build /venv /venv
COPY --from=build /srv/app /srv/app
# Fargate mounts the task's scratch volume here, and gives it the owner and the mode that the image's /tmp has only if it is declared.
VOLUME ["/tmp"]
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('GATEWAY_PORT', '8080') + '/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "app"]
