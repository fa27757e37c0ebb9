// Each example does what it says, and is short.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { folderOf, logFolder, notInstalled } from "../helpers/egg.ts";
import { ask } from "../helpers/load.ts";
import { scratch } from "../helpers/mistakes.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));
const LONGEST = 60;

async function startExample(t: TestContext, name: string, env: Record<string, string>): Promise<Service> {
  const [app, agent] = [`${EXAMPLES}${name}/server.ts`, `${EXAMPLES}${name}/agent.ts`];
  const service = await startService(t, { app, agent, workers: 2, env, flags: ["--backoff-delay", "0s"] });
  await service.untilReady();
  return service;
}

/** Asks on new connections, often enough that both workers are among those who answer. */
async function answers(service: Service, path: string): Promise<ReadonlySet<string>> {
  const bodies = await Promise.all(Array.from({ length: 24 }, () => ask(service.url(path))));
  return new Set(bodies.map(({ body }) => body));
}

const untilAll = (service: Service, path: string, body: string): Promise<boolean> =>
  until(`all answers to ${path} are ${body}`, async () => {
    const seen = await answers(service, path);
    return seen.size === 1 && seen.has(body);
  });

describe("an example", { concurrency: 2 }, () => {
  test("that shows a pattern is short", () => {
    for (const name of ["shared-connection", "run-once", "shared-cache"]) {
      const files = readdirSync(EXAMPLES + name).map((file) => readFileSync(join(EXAMPLES, name, file), "utf8"));
      const lines = files.reduce((sum, text) => sum + text.trimEnd().split("\n").length, 0);
      assert.ok(lines < LONGEST, `${name} has ${lines} lines`);
    }
  });

  test("shared-connection: one connection serves all workers, and its successor too", async (t) => {
    const feed = await startFeed(t);
    const service = await startExample(t, "shared-connection", { FEED_PORT: String(feed.port) });
    assert.equal(feed.clients.size, 1);
    for (const client of feed.clients) client.write("gold 1\nsilver");
    await untilAll(service, "/gold", "1");
    for (const client of feed.clients) client.write(" 2\n");
    await untilAll(service, "/silver", "2");
    await fetch(service.url("/copper/3"), { method: "POST" });
    await until("what a worker publishes comes to the feed", () => feed.received() === "copper 3\n");
    kill((await service.status()).agent?.processes[0]?.pid as number);
    await until("the next agent has connected, and no other", () => feed.accepted() === 2 && feed.clients.size === 1);
    await until("the workers follow the next one", async () => {
      for (const client of feed.clients) client.write("gold 4\n");
      return (await answers(service, "/gold")).has("4");
    });
    await untilAll(service, "/gold", "4");
  });

  test("run-once: each run is done by one worker", async (t) => {
    const service = await startExample(t, "run-once", { EVERY_MS: "50" });
    const runs = (): readonly number[] =>
      [...service.output().matchAll(/report (\d+): run \1 done by slot [01]/g)].map(([, run]) => Number(run));
    await until("ten runs are done", () => runs().length >= 10);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
    const done = runs();
    assert.deepEqual(
      done,
      done.map((_, index) => index + 1),
    );
  });

  test("shared-cache: a change comes to all, one that is broken to nobody, and a new worker has it at once", async (t) => {
    const source = join(scratch(t), "settings.json");
    writeFileSync(source, '{ "colour": "red" }');
    const service = await startExample(t, "shared-cache", { CACHE_SOURCE: source, CACHE_EVERY_MS: "50" });
    await untilAll(service, "/colour", '"red"');
    writeFileSync(source, '{ "colour": "green" }');
    await untilAll(service, "/colour", '"green"');
    writeFileSync(source, '{ "colour": ');
    await until("the broken source is told of", () => service.output().includes("the cache stays as it is: "));
    const before = await service.workerPids();
    for (const pid of before) kill(pid);
    await until("other workers serve", async () => {
      const pids = await service.workerPids();
      return pids.length === 2 && pids.every((pid) => !before.includes(pid));
    });
    await untilAll(service, "/colour", '"green"');
  });

  test("egg: starts as it is", { skip: notInstalled(4) }, async (t) => {
    const config = join(scratch(t), "rollcall.json");
    const framework = join(folderOf(4), "node_modules/egg");
    writeFileSync(config, JSON.stringify({ egg: { baseDir: `${EXAMPLES}egg`, framework } }));
    const env = { NODE_ENV: "production", EGG_LOGS: logFolder(t) };
    const service = await startService(t, { app: null, workers: 1, flags: ["--config", config], env });
    await service.untilReady();
    await until("it counts", async () => /^hello, for the [1-9]\d*th second$/.test((await ask(service.url("/"))).body));
  });
});

interface Feed {
  readonly port: number;
  readonly clients: ReadonlySet<net.Socket>;
  readonly accepted: () => number;
  readonly received: () => string;
}

/** What is far away and has few connections to give. */
async function startFeed(t: TestContext): Promise<Feed> {
  const clients = new Set<net.Socket>();
  let [received, accepted] = ["", 0];
  const server = net.createServer((socket) => {
    accepted++;
    clients.add(socket);
    socket.on("data", (chunk) => (received += chunk.toString()));
    socket.on("error", () => {}).on("close", () => clients.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
  return { port: (server.address() as net.AddressInfo).port, clients, accepted: () => accepted, received: () => received };
}
