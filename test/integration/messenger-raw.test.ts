// process.send and process.on("message") of apps that know of no Rollcall: egg's form, socket.io's cluster adapter, PM2's "ready", and everything else.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { type Service, type ServiceOptions, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

interface RawService extends Service {
  readonly send: (role: "agent" | "worker", message: unknown) => Promise<string>;
  readonly heard: () => readonly string[];
  readonly untilHeard: (pattern: RegExp, times?: number) => Promise<readonly string[]>;
}

async function startRaw(t: TestContext, options: Partial<ServiceOptions> = {}): Promise<RawService> {
  const agentPort = await freePort();
  const service = await startService(t, {
    app: "post-raw.mjs",
    agent: "post-raw.mjs",
    workers: 2,
    ...options,
    env: { AGENT_PORT: String(agentPort), ...options.env },
  });
  await service.untilReady();
  const heard = (): readonly string[] =>
    service
      .output()
      .split("\n")
      .filter((line) => line.includes(" heard "));
  return {
    ...service,
    heard,
    send: async (role, message) => {
      const url = role === "agent" ? `http://127.0.0.1:${agentPort}/` : service.url("/");
      return (await fetch(url, { method: "POST", body: JSON.stringify(message), headers: { connection: "close" } })).text();
    },
    untilHeard: (pattern, times = 1) =>
      until(`${pattern} was heard ${times} times`, () => {
        const lines = heard().filter((line) => pattern.test(line));
        return lines.length >= times ? lines : null;
      }),
  };
}

test("egg's form is routed, and whoever has spoken it hears what the master says; nobody else does", async (t) => {
  const raw = await startRaw(t, { flags: ["--backoff-delay", "10ms"] });
  await raw.send("agent", { action: "hello", data: { at: "noon" } });
  const lines = await raw.untilHeard(/hello/, 2);
  const agent = (await raw.status()).agent?.processes[0]?.pid;
  for (const line of lines)
    assert.match(line, new RegExp(`heard {"action":"hello","data":{"at":"noon"},"from":"agent","senderWorkerId":"${agent}"}$`));
  const [worker] = await raw.workerPids();
  await raw.send("agent", { action: "one", receiverPid: String(worker) });
  assert.match((await raw.untilHeard(/"one"/))[0] ?? "", /^worker 0 heard {"action":"one","from":"agent",/);
  await raw.send("worker", { action: "two", to: "agent" });
  await raw.untilHeard(/agent 0 heard {"action":"two","from":"app"/);
  assert.ok(!raw.heard().some((line) => line.includes('"from":"master"')), raw.heard().join("\n"));
  // The agent has spoken before, and one of the workers has.
  process.kill(worker as number, "SIGKILL");
  await raw.untilHeard(/agent 0 heard {"action":"egg-pids","data":\[\d+\],"from":"master"}/);
});

test("what is in no form that anybody knows is nobody's, and still said to be sent", async (t) => {
  const raw = await startRaw(t);
  for (const message of [{ some: "thing" }, "word", 0, null, [], { type: "axm:monitor" }])
    assert.equal(await raw.send("worker", message), "sent");
  await raw.send("worker", { action: "last", to: "app" });
  await raw.untilHeard(/"last"/, 2);
  assert.equal(raw.heard().length, 2, raw.heard().join("\n"));
});

test("socket.io's cluster adapter reaches all other workers, whatever it sends", async (t) => {
  const raw = await startRaw(t, { workers: 3 });
  const message = { source: "_sio_adapter", type: 3, uid: "abc", nsp: "/", data: { opts: {} } };
  await raw.send("worker", message);
  await raw.send("worker", { action: "last", to: "app" });
  await raw.untilHeard(/"last"/, 3);
  const heard = raw.heard().filter((line) => line.includes("_sio_adapter"));
  assert.equal(heard.length, 2);
  for (const line of heard) assert.equal(line.slice(line.indexOf("{")), JSON.stringify(message));
});

test('PM2\'s process.send("ready") counts where the app says when it is ready', async (t) => {
  const raw = await startRaw(t, { flags: ["--ready-when", "message"], env: { SAYS_READY: "1" } });
  assert.deepEqual((await raw.workerPids()).length, 2);
  assert.deepEqual(raw.heard(), []);
});
