# The agent in a container, as one file on a base that needs nothing but glibc; compose.yaml runs it. It works as user
# 1993 and keeps everything in /data.
ARG BUILDER=denoland/deno:debian-2.9.6
ARG BASE=gcr.io/distroless/base-debian12

FROM ${BUILDER} AS build
WORKDIR /src
COPY deno.json deno.lock ./
COPY scripts/compile.ts scripts/compile.ts
COPY scripts/compile scripts/compile
COPY scripts/setup scripts/setup
COPY core core
COPY plugins plugins
# What `--version` tells. The git repository stays outside.
ARG COMMIT=unknown
ARG SOURCE_DATE_EPOCH=
RUN deno run -A scripts/compile.ts --with bun --commit "${COMMIT}" --output /out/commandcenter \
  && mkdir -m 0700 /out/data

FROM ${BASE}
COPY --from=build /out/commandcenter /usr/local/bin/commandcenter
# For the agent's user alone.
COPY --from=build --chown=1993:1993 /out/data /data
COPY LICENSE /app/LICENSE
COPY config/examples/container*.yaml /app/config/examples/

# Alone, with SQLite in /data, unless told otherwise.
ENV COMMANDCENTER_CONFIG=/app/config/examples/container.yaml \
  DATABASE_URL=sqlite:

USER 1993:1993
WORKDIR /data
VOLUME /data
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/local/bin/commandcenter", "status"]
CMD ["/usr/local/bin/commandcenter", "start"]
