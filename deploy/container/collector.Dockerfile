# The collector. Two images from one file:
#   --target server    the collector alone, for use beside a ClickHouse server
#   --target embedded  with the ClickHouse engine library (default); it needs
#                      glibc, hence a Debian base, and about 570 MB
# docker build -f deploy/container/collector.Dockerfile --target server -t gnomon-collector .

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY collector collector
COPY proto proto
COPY signatures signatures
ARG VERSION=unknown
RUN go run ./signatures/cmd/compile signatures/catalogue
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/gnomon-collector ./collector/cmd/gnomon-collector
RUN mkdir -p /out/state && chmod 0700 /out/state

# The engine's library, from its npm package and checked against its lock.
FROM node:24.11.1-bookworm-slim AS engine
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY deploy/engine deploy/engine
RUN GNOMON_ENGINE_DIR=/out/engine deploy/engine/fetch

# The binary is dynamically linked against glibc even without cgo, because it
# can open the engine's library: so this target has one, too.
FROM debian:12.12-slim AS server
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/gnomon-collector /usr/bin/gnomon-collector
COPY --from=build --chown=65532:65532 /out/state /var/lib/gnomon-collector
ENV STATE_DIRECTORY=/var/lib/gnomon-collector
USER 65532:65532
VOLUME /var/lib/gnomon-collector
ENTRYPOINT ["/usr/bin/gnomon-collector"]
CMD ["serve"]

FROM server AS embedded
COPY --from=engine /out/engine /usr/lib/gnomon/engine
ENV GNOMON_ENGINE_DIR=/usr/lib/gnomon/engine
