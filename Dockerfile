# The server in a small image: the program, the libraries that it is linked to, and nothing else. User 65532 runs it.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY src src
COPY migrations migrations
COPY fixtures fixtures
COPY deploy/image.sh deploy/image.sh
# `dist` takes a minute more than `release`, and is a fifth smaller.
ARG PROFILE=dist
# The commit that `rehearsal --version` tells: there is no checkout in here.
ARG REHEARSAL_COMMIT
# The manifest names the benches and the tests; the image needs neither.
RUN for target in benches/speed benches/endurance tests/sdk tests/skipped; do \
        mkdir -p $target && touch $target/main.rs; \
    done \
    && cargo build --profile $PROFILE --locked --bin rehearsal \
    && deploy/image.sh target/$PROFILE/rehearsal /image

FROM scratch
COPY --from=build /image/root /
# A named volume begins as a copy of the image's folder, and so with its owner.
COPY --from=build --chown=65532:65532 /image/own /
USER 65532:65532
# Fixtures are looked for in the folder `fixtures` below this one.
WORKDIR /rehearsal
# A mount at the volume's place holds the database, unless --database names another.
ENV REHEARSAL_LISTEN=0.0.0.0:7357 REHEARSAL_VOLUME=/data
EXPOSE 7357
HEALTHCHECK --interval=5s --timeout=4s --start-period=5s --retries=3 CMD ["/usr/local/bin/rehearsal", "health"]
ENTRYPOINT ["/usr/local/bin/rehearsal"]
