# The ECT authority as an image: Node and the sources that it runs, no build step, no package manager's work at start.
#
#   docker build --tag ect-authority .
#   docker run --read-only --cap-drop ALL --volume ect-data:/data --publish 127.0.0.1:8080:8080 \
#     --env ECT_ALLOW_ANONYMOUS=yes ect-authority
#
# Without a word about who may call, the container refuses to start, by intention: inside it the service cannot listen on
# loopback only. Say one of these:
#   ECT_TLS_CERT, ECT_TLS_KEY and ECT_TLS_CLIENT_CA (paths of mounted files): callers present a certificate of that CA;
#   ECT_ALLOW_ANONYMOUS=yes: everyone who reaches the port is served, as behind the sidecar of a mesh.
#
# Only /data is written, so the root file system can be read-only. It holds the signing key and the ledger: give it a
# volume that outlives the container, and back it up (`docker exec … node /app/src/main.ts backup`, docs/operating.md). A volume that
# is mounted, one for backups too, must belong to user 1000, a key
# file too, or to root with group 1000 (mode 0440).
#
# The base is pinned by version. Whoever builds a release pins it by digest too:
#   --build-arg NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim@sha256:…
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM ${NODE_IMAGE}
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="ECT authority" \
      org.opencontainers.image.description="Issues, verifies, orders and records Execution Context Tokens over gRPC." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"

# A number, so that an orchestrator can tell that it is not root. A fresh volume takes over the owner of /data.
RUN install --directory --owner=1000 --group=1000 --mode=0700 /data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE NOTICE ./
COPY proto proto
COPY policy policy
COPY src src
# What `ect conformance` runs.
COPY vectors vectors

USER 1000:1000
ENV NODE_ENV=production \
    ECT_DATA_DIR=/data \
    ECT_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080

# The process is alive; /readyz says whether it can do its work. The certificate is not checked: it is for other names.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["node", "-e", "\
const { ECT_LISTEN, ECT_TLS_CERT } = process.env; \
const scheme = ECT_TLS_CERT ? 'https' : 'http'; \
process.getBuiltinModule(scheme) \
  .get(`${scheme}://${ECT_LISTEN}/healthz`, { rejectUnauthorized: false }, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1)) \
  .on('error', () => process.exit(1));"]

# Health turns to NOT_SERVING, calls in flight have 10 s to finish: give the orchestrator a little more before it kills.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/src/main.ts"]
CMD ["serve"]
