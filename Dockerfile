# A base image with my_init.  `make image` builds it; README.md says the rest.
#
#   docker build --build-arg BASE_IMAGE=debian:bookworm-slim -t baseimage .
#
# BASE_IMAGE is Ubuntu or Debian.  DISABLE_SSH, DISABLE_CRON, DISABLE_SYSLOG and
# DISABLE_TOOLS=1 leave that component out.
ARG BASE_IMAGE=ubuntu:24.04

# --- what is compiled, and what is put over the root file system -----------------
FROM ${BASE_IMAGE} AS build
COPY packages /source/
RUN cd /source && ./packages build && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN /source/image/build/programs /source /overlay

# --- the image: the base, and two layers -----------------------------------------
FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG BASE_IMAGE
ARG DISABLE_SSH=0
ARG DISABLE_CRON=0
ARG DISABLE_SYSLOG=0
ARG DISABLE_TOOLS=0
LABEL org.opencontainers.image.title="baseimage" \
    org.opencontainers.image.description="Ubuntu or Debian for containers: my_init, syslog, cron, ssh" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.base.name="${BASE_IMAGE}"
COPY --from=build /overlay/ /
RUN /image_build/install
STOPSIGNAL SIGTERM
CMD ["/sbin/my_init"]
