# The server in a small image: the program, the libraries that it is linked to, and nothing else. User 65532 runs it.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY src src
COPY migrations migrations
COPY fixtures fixtures
COPY deploy/image.sh deploy/image.sh
# `dist` takes a minute more than `release`, and its program is a fifth smaller.
ARG PROFILE=dist
# The commit for `rehearsal --version`. This build has no Git checkout.
ARG REHEARSAL_COMMIT
# The manifest names the benches and the tests. The image needs neither.
RUN for target in benches/speed benches/endurance tests/sdk tests/skipped; do \
        mkdir -p $target && touch $target/main.rs; \
    done \
    && cargo build --profile $PROFILE --locked --bin rehearsal \
    && deploy/image.sh target/$PROFILE/rehearsal /image

FROM scratch
COPY --from=build /image/root /
# A new named volume is a copy of the image's folder, with the same owner.
COPY --from=build --chown=65532:65532 /image/own /
USER 65532:65532
# The server looks for fixtures in the folder `fixtures` below this one.
WORKDIR /rehearsal
# A mount at this path holds the database, unless --database names another path.
ENV REHEARSAL_LISTEN=0.0.0.0:7357 REHEARSAL_VOLUME=/data
EXPOSE 7357
HEALTHCHECK --interval=5s --timeout=4s --start-period=5s --retries=3 CMD ["/usr/local/bin/rehearsal", "health"]
ENTRYPOINT ["/usr/local/bin/rehearsal"]
