# syntax=docker/dockerfile:1
# Stairgate in a container: built from this folder, run without root, port 53 by one capability of the file.
#
#   docker build -t stairgate .
#   docker run -d --name stairgate --network host -v stairgate:/var/lib/stairgate stairgate
#
# Host networking on purpose: Docker's bridge would replace every device's address by its own, and all would get one profile.
# Own settings: -v "$PWD/stairgate.toml:/etc/stairgate/stairgate.toml:ro"

FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The two caches stay on the building machine, so that a second build compiles what changed; the program is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/stairgate /stairgate
# The home example, with its lists beside it.
RUN sed 's|\.\./\.\./blocklists|blocklists|' config/examples/home.toml > /stairgate.toml

FROM debian:bookworm-slim
# setcap lets the program, and nothing else here, open ports below 1024; its package is gone again in the same layer.
COPY --from=build /stairgate /usr/local/bin/stairgate
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin \
    && setcap cap_net_bind_service=+ep /usr/local/bin/stairgate \
    && apt-get purge -y --auto-remove libcap2-bin && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 5300 --user-group --home-dir /var/lib/stairgate --shell /usr/sbin/nologin stairgate \
    && install -d -o stairgate -g stairgate -m 0750 /var/lib/stairgate
# With the notices of the lists.
COPY blocklists /etc/stairgate/blocklists
COPY --from=build /stairgate.toml /etc/stairgate/stairgate.toml
# By number, so that orchestrators see that it is not root.
USER 5300:5300
VOLUME /var/lib/stairgate
EXPOSE 53/udp 53/tcp
STOPSIGNAL SIGTERM
# Asks the resolver itself, over DNS.
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["stairgate", "health", "--config", "/etc/stairgate/stairgate.toml"]
ENTRYPOINT ["stairgate"]
CMD ["serve", "--config", "/etc/stairgate/stairgate.toml"]
