# One image for all of the server form's processes; docker-compose.yml says which one runs. ClickHouse is a server there, so the
# embedded engine (an optional package) stays out.

FROM node:22.21.1-bookworm-slim AS deps
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --include=dev --omit=optional --no-audit --no-fund

FROM deps AS build
COPY . .
RUN node setup.mjs --build

FROM node:22.21.1-bookworm-slim AS runtime
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production TZ=UTC UV_THREADPOOL_SIZE=16
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force
COPY --from=build /app/dist ./dist
RUN mkdir /data && chown node:node /data
USER node
ENV WALKIN_HOST=0.0.0.0 WALKIN_DATA_DIR=/data WALKIN_HEALTH_PORT=9081
EXPOSE 8080 8081 8082 9080 9081 9082 9083
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=5 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WALKIN_HEALTH_PORT}/livez`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "dist/dmp/main.js"]
