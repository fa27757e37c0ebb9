// What a user does: Rollcall as a dependency of an app of theirs, packed as it is published, in a Dockerfile of their own.
import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { until } from "../helpers/until.ts";
import { BOOT_MS, BUILD_MS, build, docker, LOCKED, ROOT, run, skip, startContainer, uniqueName, useImage } from "./helpers.ts";

const DOCKERFILE = `FROM node:26-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json rollcall-*.tgz ./
RUN npm install --no-audit --no-fund ./rollcall-*.tgz express@5
COPY server.js ./
USER 1000:1000
EXPOSE 3000 9000 9464
HEALTHCHECK --interval=1s --timeout=5s --start-period=15s CMD echo 1000 >/proc/self/oom_score_adj; exec node_modules/.bin/rollcall health
ENTRYPOINT ["node_modules/.bin/rollcall"]
CMD ["--workers", "2", "server.js"]
`;
const ON_THE_IMAGE = `ARG IMAGE
FROM \${IMAGE}
COPY server.js ./
CMD ["--workers", "2", "server.js"]
`;
const PLAIN_SERVER = `require("node:http").createServer((request, response) => response.end("hello from mine")).listen(3000);
`;
const SERVER = `import express from "express";
const app = express();
app.get("/", (request, response) => response.send("hello from express"));
app.get("/slow", (request, response) => setTimeout(() => response.send("slow"), 2_000));
app.listen(3000);
`;

describe("a Dockerfile on top of the image", { skip }, () => {
  const base = useImage();
  const image = `${uniqueName()}:on`;
  after(() => run("docker", ["image", "rm", "--force", image]));

  it("needs the app and its name only", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "rollcall-on-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    put(folder, { Dockerfile: ON_THE_IMAGE, "server.js": PLAIN_SERVER });
    await build(image, folder, ["--build-arg", `IMAGE=${base}`]);
    const container = await startContainer(t, image, LOCKED);
    await container.untilReady();
    const { pid, agent, workersReady } = await container.status();
    assert.deepEqual([pid, agent, workersReady], [1, null, 2]);
    assert.equal(await (await container.get(3000, "/")).text(), "hello from mine");
    assert.equal((await container.stop()).code, 0);
  });
});

describe("a Dockerfile of the user's own", { skip }, () => {
  const image = `${uniqueName()}:own`;
  const folder = mkdtempSync(join(tmpdir(), "rollcall-own-"));
  before(
    async () => {
      await pack(folder);
      const manifest = JSON.stringify({ name: "own", private: true, type: "module" });
      put(folder, { Dockerfile: DOCKERFILE, "package.json": manifest, "server.js": SERVER });
      await build(image, folder);
    },
    { timeout: BUILD_MS },
  );
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await run("docker", ["image", "rm", "--force", image]);
  });

  it("runs an Express app with node_modules/.bin/rollcall as PID 1, healthy, and stops it with its requests finished", async (t) => {
    const container = await startContainer(t, image, LOCKED);
    await until("Docker calls it healthy", async () => (await container.inspect("{{.State.Health.Status}}")) === "healthy", BOOT_MS);
    await container.untilReady();
    assert.equal((await container.status()).pid, 1);
    assert.equal((await container.status()).workersReady, 2);
    assert.equal(await (await container.get(3000, "/")).text(), "hello from express");
    const slow = container.get(3000, "/slow").then((response) => response.text());
    await until("the request is in hand", async () => {
      const { workers } = await container.status();
      return workers.some((slot) => slot.processes.some((each) => each.requestsInFlight === 1));
    });
    const [said, { code }] = await Promise.all([slow, container.stop()]);
    assert.equal(said, "slow");
    assert.equal(code, 0, await container.logs());
  });

  it("has nothing of this repository but what is published", async () => {
    const listed = await docker(["run", "--rm", "--entrypoint", "ls", image, "-A", "node_modules/rollcall"]);
    const published = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "dist", "package.json"];
    assert.deepEqual(
      listed.split("\n").filter((name) => !published.includes(name)),
      [],
    );
  });
});

/** Writes files that the container's user may read, whatever this machine's umask: COPY keeps modes. */
function put(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o644);
  }
}

/** Packs a copy, because packing builds, and other tests may be using the build of the checkout. */
async function pack(into: string): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), "rollcall-pack-"));
  try {
    for (const name of readdirSync(ROOT)) {
      if (/^(src|scripts|package\.json|tsconfig.*\.json|[A-Z]+(\.md)?)$/.test(name))
        cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const { code, stdout, stderr } = await run("npm", ["pack", "--pack-destination", into], { cwd: copy, deadlineMs: BUILD_MS });
    assert.equal(code, 0, `npm pack:\n${stdout}${stderr}`);
    assert.ok(existsSync(into));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
