# One image per service: docker build --target scoring-gateway . (see docs/guides/running-with-docker.md)
#
# BINARIES  "compiled" builds them here; "prebuilt" takes what deploy/docker/lay-rootfs.sh laid into target/image/rootfs
# BASE      what they are put on; they are static and need nothing
# RUST      where they are compiled
ARG BINARIES=compiled
ARG BASE=scratch
ARG RUST=rust:1.95-slim-bookworm

# hadolint ignore=DL3006
FROM ${RUST} AS compiled
ARG PROFILE=release
ARG REVISION=unknown
ARG SOURCE_DATE_EPOCH=0
WORKDIR /source
RUN cargo install --locked cargo-auditable@0.7.7 cargo-cyclonedx@0.5.9
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    deploy/docker/lay-rootfs.sh && mv target/image/rootfs /rootfs

FROM scratch AS prebuilt
COPY target/image/rootfs /rootfs

# hadolint ignore=DL3006
FROM ${BINARIES} AS binaries

# hadolint ignore=DL3006
FROM ${BASE} AS base
USER 65532:65532
ENV FCS_DATA_DIR=/data SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG BASE
ARG BASE_DIGEST=
ARG CREATED=
ARG REVISION=
ARG VERSION=
LABEL org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}"

# In each: one layer, whose times are those of the commit, so two builds of it are the same. Healthy means ready
# for traffic. An image listens everywhere, since its loopback serves nobody else.
FROM base AS scoring-gateway
COPY --from=binaries /rootfs/scoring-gateway /
WORKDIR /app
ENV FCS__HTTP__LISTEN=0.0.0.0:8000 FCS__ADMIN__LISTEN=0.0.0.0:9000
EXPOSE 8000 9000
LABEL org.opencontainers.image.title="scoring-gateway"
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=12 CMD ["/app/scoring-gateway", "--ready"]
ENTRYPOINT ["/app/scoring-gateway"]

FROM base AS model-server
COPY --from=binaries /rootfs/model-server /
WORKDIR /app
ENV FCS__HTTP__LISTEN=0.0.0.0:8010 FCS__ADMIN__LISTEN=0.0.0.0:9010
EXPOSE 8010 9010
LABEL org.opencontainers.image.title="model-server"
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=12 CMD ["/app/model-server", "--ready"]
ENTRYPOINT ["/app/model-server"]

FROM base AS bias-monitor
COPY --from=binaries /rootfs/bias-monitor /
WORKDIR /app
ENV FCS__HTTP__LISTEN=0.0.0.0:8020 FCS__ADMIN__LISTEN=0.0.0.0:9020
EXPOSE 8020 9020
LABEL org.opencontainers.image.title="bias-monitor"
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=12 CMD ["/app/bias-monitor", "--ready"]
ENTRYPOINT ["/app/bias-monitor"]

FROM base AS deployment-audit
COPY --from=binaries /rootfs/deployment-audit /
WORKDIR /app
ENV FCS__HTTP__LISTEN=0.0.0.0:8030 FCS__ADMIN__LISTEN=0.0.0.0:9030
EXPOSE 8030 9030
LABEL org.opencontainers.image.title="deployment-audit"
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=12 CMD ["/app/deployment-audit", "--ready"]
ENTRYPOINT ["/app/deployment-audit"]

# The command line serves nothing, so there is no health to ask for.
FROM base AS fcs
COPY --from=binaries /rootfs/fcs /
WORKDIR /app
LABEL org.opencontainers.image.title="fcs"
HEALTHCHECK NONE
ENTRYPOINT ["/app/fcs"]
