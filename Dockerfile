# A static binary in an empty image. Build: make image. Run, with the settings
# of `isobar serve --help` and a volume for the store:
#   docker run -v isobar:/var/lib/isobar isobar:dev serve --repo https://…
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags='-s -w' -o /out/isobar ./cmd/isobar \
 && mkdir -p /out/state /out/tmp \
 && echo 'isobar:x:65532:65532::/var/lib/isobar:/' > /out/passwd

FROM scratch
COPY --from=build /out/passwd /etc/passwd
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/state /var/lib/isobar
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build /out/isobar /isobar
USER 65532:65532
WORKDIR /var/lib/isobar
ENV STATE_DIRECTORY=/var/lib/isobar
VOLUME /var/lib/isobar
# The daemon drains on SIGTERM: give it time for the call that is under way.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/isobar"]
CMD ["serve"]
