# The agent alone: one static binary and the certificates to trust.
# docker build -f deploy/container/agent.Dockerfile -t gnomon-agent .

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY agent agent
COPY proto proto
COPY signatures signatures
ARG VERSION=unknown
RUN go run ./signatures/cmd/compile signatures/catalogue
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/gnomon-agent ./agent/cmd/gnomon-agent
RUN mkdir -p /out/state && chmod 0700 /out/state

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/gnomon-agent /gnomon-agent
COPY --from=build --chown=65532:65532 /out/state /var/lib/gnomon-agent
# Not root. A capability given to the container reaches a user other than root
# only through a file capability or an ambient one, which container engines do
# not set: where the sensors need rights, run it as user 0 with all
# capabilities dropped but the three named in deploy/README.md.
USER 65532:65532
VOLUME /var/lib/gnomon-agent
ENTRYPOINT ["/gnomon-agent"]
CMD ["run", "--config", "/etc/gnomon/agent.yaml"]
