# The agent in a container; compose.yaml runs it. It works as user 1993 (deno) and keeps everything in /data.
FROM denoland/deno:debian-2.9.6

WORKDIR /app
COPY deno.json deno.lock LICENSE ./
COPY core core
COPY plugins plugins
COPY config/examples/container*.yaml config/examples/

# Fetched now, checked against the lock file, so that a start needs no network; /data is for the agent's user alone.
RUN deno cache --frozen core/main.ts \
  && printf '#!/bin/sh\nexec deno run -A --cached-only --frozen /app/core/main.ts "$@"\n' \
    > /usr/local/bin/commandcenter \
  && chmod 755 /usr/local/bin/commandcenter \
  && install -d -o deno -g deno -m 0700 /data

# Alone, with SQLite in /data, unless told otherwise.
ENV COMMANDCENTER_CONFIG=/app/config/examples/container.yaml \
  DATABASE_URL=sqlite: \
  DENO_NO_UPDATE_CHECK=1

USER deno
VOLUME /data
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["deno", "eval", "const { ok } = await fetch('http://127.0.0.1:9000/health/live'); Deno.exit(ok ? 0 : 1);"]

# Behind the entrypoint of the base image, which reaps what is left behind and passes signals on.
CMD ["commandcenter", "start"]
