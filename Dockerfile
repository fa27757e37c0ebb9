# The Rollcall image: Node, Rollcall as PID 1, and the hello example as its default service.
#
#   docker build -t rollcall .                 docker run --rm -p 3000:3000 -p 9000:9000 -p 9464:9464 rollcall
#
# A service of yours either builds on it,
#
#   FROM rollcall
#   USER root
#   COPY package.json package-lock.json ./
#   RUN npm ci --omit=dev
#   COPY . .
#   USER 1000:1000
#   CMD ["server.js"]
#
# or has Rollcall among its dependencies:
#
#   FROM node:26-bookworm-slim
#   ENV NODE_ENV=production
#   WORKDIR /app
#   COPY package.json package-lock.json ./
#   RUN npm ci --omit=dev
#   COPY . .
#   USER 1000:1000
#   EXPOSE 3000 9000 9464
#   HEALTHCHECK --interval=15s --timeout=5s --start-period=15s CMD echo 1000 >/proc/self/oom_score_adj; exec node_modules/.bin/rollcall health
#   ENTRYPOINT ["node", "node_modules/rollcall/dist/cli/rollcall.js"]
#   CMD ["server.js"]
#
# The exec form ([...]) matters: in the shell form sh is PID 1, and sh forwards no signal.

ARG NODE_IMAGE=node:26-bookworm-slim

# What runs: production dependencies only. It depends on the two package files alone, so it is rebuilt only when they change.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /opt/rollcall
COPY package.json package-lock.json ./
# Readable by the numeric user below whatever the umask of the machine that builds, or of the one that packed a dependency.
RUN npm ci --omit=dev --ignore-scripts && chmod -R a+rX .

# What builds: everything, thrown away afterwards. The image has its own Node: without its install script the `node`
# devDependency is an empty shell, and its dangling node_modules/.bin/node is removed so that no script can meet it.
FROM ${NODE_IMAGE} AS build
WORKDIR /opt/rollcall
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts && rm -f node_modules/.bin/node
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/libraries.ts ./scripts/
COPY src ./src
RUN npm run build
COPY LICENSE ./
COPY examples/hello ./examples/hello
RUN chmod +x dist/cli/rollcall.js && chmod -R a+rX dist examples LICENSE

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="rollcall" \
      org.opencontainers.image.description="PID 1 for Node.js services in containers" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
# `rollcall status`, `reload`, … for `docker exec`. Node resolves the link, so it finds its dependencies.
RUN ln -s /opt/rollcall/dist/cli/rollcall.js /usr/local/bin/rollcall
COPY --from=dependencies /opt/rollcall /opt/rollcall
COPY --from=build /opt/rollcall/LICENSE /opt/rollcall/LICENSE
COPY --from=build /opt/rollcall/examples /opt/rollcall/examples
COPY --from=build /opt/rollcall/dist /opt/rollcall/dist
WORKDIR /app
# Numeric, so that Kubernetes can check runAsNonRoot. Nothing is ever written to the image: --read-only works.
USER 1000:1000
# The service, the probes, the metrics.
EXPOSE 3000 9000 9464
STOPSIGNAL SIGTERM
# Liveness, answered by the master over loopback: no curl, and no restart because a worker is busy. Where memory runs out while it starts,
# the kernel is to take the check and not the master, so it says so before Node's first page.
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 \
  CMD { echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null; exec rollcall health
# node by name and not the script's #! line: PID 1 is Node from its first instruction, with no env(1) before it.
ENTRYPOINT ["node", "/opt/rollcall/dist/cli/rollcall.js"]
CMD ["--agent", "/opt/rollcall/examples/hello/agent.ts", "/opt/rollcall/examples/hello/server.ts"]
