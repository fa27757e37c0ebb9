// To the app there is one server: asked by the app itself, over every queue, for every strategy, declared and not.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { listenersOf } from "../helpers/listeners.ts";
import { GROUNDS, ON_CLUSTER, startListening, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

/** As many slots have been there before the last one is left with all of their queues. */
const SLOTS = 3;
const CONNECTIONS = 60;
const ALL = [...GROUNDS.map((ground) => ({ ...ground, env: {} })), { ...ON_CLUSTER, declared: true }];
const CLOSED = { listening: false, early: false, isClosed: true };

function askOver(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path, agent: false });
    request.on("error", reject).on("response", (response) => void text(response).then((body) => resolve(JSON.parse(body)), reject));
  });
}

describe("to the app there is one server", { concurrency: 2, skip: process.platform !== "linux" && "needs held sockets" }, () => {
  for (const ground of ALL) {
    test(`${ground.name}`, async (t) => {
      const control = join(tmpdir(), `rollcall-rules-${process.pid}-${ALL.indexOf(ground)}.sock`);
      t.after(() => rm(control, { force: true }));
      const isClusters = ground.name === ON_CLUSTER.name;
      const env = { CONTROL: control, ...ground.env };
      const service = await startListening(t, ground, { workers: 1, app: "listen-rules.mjs", env });
      await service.untilReady();
      for (let workers = 2; workers <= SLOTS; workers++) {
        service.signal("SIGTTIN");
        await untilWhole(service, 1, workers);
      }
      for (let workers = SLOTS - 1; workers >= 1; workers--) {
        service.signal("SIGTTOU");
        await untilWhole(service, 1, workers);
      }
      const isAccepted = ground.listen === "round-robin" || ground.listen === "sticky";
      const sockets = isAccepted || (ground.listen === "shared" && ground.declared) ? 1 : SLOTS;
      await until(`it listens on ${sockets} sockets`, () => listenersOf(service.appPort).length === sockets);
      assert.deepEqual(await askOver(control, isClusters ? "/by-cluster" : "/"), {
        connections: CONNECTIONS,
        address: true,
        half: CONNECTIONS,
        tuned: CONNECTIONS,
        blocked: 0,
        // Node's own primary asks a full worker again and again.
        ...(isClusters ? {} : { dropped: CONNECTIONS - 10 }),
        closed: CLOSED,
        disposed: CLOSED,
        again: CONNECTIONS,
        twice: "EADDRINUSE",
      });
      assert.equal((await service.status()).workers[0]?.processes.length, 1, "it lives");
    });
  }
});
