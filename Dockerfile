# reto3 as an image: one executable on a base without a shell, run by a user without rights.
#
#   docker build -t reto3 .
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg RETO3_COMMIT=$(git rev-parse HEAD) .
#
# Behind a company's registry or proxy: --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt

ARG BUN_VERSION=1.4.5

# Always runs on the machine that builds; the executable for another architecture is cross-compiled.
FROM --platform=$BUILDPLATFORM oven/bun:${BUN_VERSION} AS build
WORKDIR /src
COPY package.json package-lock.json bunfig.toml ./
RUN --mount=type=cache,target=/root/.bun/install/cache \
    --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
    NODE_EXTRA_CA_CERTS=/run/secrets/ca bun install --frozen-lockfile --production --ignore-scripts
COPY . .
ARG TARGETARCH
ARG RETO3_COMMIT=""
RUN --mount=type=cache,target=/root/.bun/install/cache \
    --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
    NODE_EXTRA_CA_CERTS=/run/secrets/ca bun scripts/build.ts --arch "${TARGETARCH}" --outfile /out/reto3 \
 && mkdir /data /reto3-logs

FROM gcr.io/distroless/cc-debian12:nonroot
ARG RETO3_COMMIT=""
LABEL org.opencontainers.image.title="reto3" \
      org.opencontainers.image.description="Takes a stream of small events over HTTP and tells exactly how many arrived every 10 ms, second and minute" \
      org.opencontainers.image.version="0.7.0" \
      org.opencontainers.image.revision="${RETO3_COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0"
# What the executable is made of, where scanners look for it.
COPY package-lock.json LICENSE /usr/share/doc/reto3/
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build --chown=65532:65532 /reto3-logs /var/log/reto3
COPY --from=build /out/reto3 /usr/local/bin/reto3
USER 65532:65532
WORKDIR /data
# Written to by an SQLite store alone; the monitors write to /var/log/reto3.
VOLUME /data
# From outside the container nothing reaches it until a port is published.
ENV RETO3_HOST=0.0.0.0 \
    RETO3_LOG_DIR=/var/log/reto3 \
    RETO3_STORE=sqlite:/data/reto3.db
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["reto3", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["reto3"]
CMD ["serve"]
