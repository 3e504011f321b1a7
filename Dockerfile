# The server in a small image: nothing but the binary, run by nobody.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
COPY fixtures fixtures
# The manifest names the bench and the tests; the image needs neither.
RUN mkdir -p benches/speed tests/sdk && touch benches/speed/main.rs tests/sdk/main.rs \
    && cargo build --release --locked --bin rehearsal

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/rehearsal /usr/local/bin/rehearsal
# Fixtures are looked for in the folder `fixtures` below this one.
WORKDIR /rehearsal
ENV REHEARSAL_LISTEN=0.0.0.0:7357
EXPOSE 7357
HEALTHCHECK --interval=5s --timeout=4s --start-period=5s --retries=3 CMD ["/usr/local/bin/rehearsal", "health"]
ENTRYPOINT ["/usr/local/bin/rehearsal"]
