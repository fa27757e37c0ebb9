// A program that forks the master over IPC: what it hears, and that nothing it sends, reads not or dies of costs the service anything.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { serialize } from "node:v8";
import { openFromService, sealForParent } from "../../src/messenger/parent.ts";
import { forkMaster, forkRaw } from "../helpers/forked.ts";
import { fdsOf } from "../helpers/listeners.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import { FIXTURES } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const AGENT = ["--agent", `${FIXTURES}agent.mjs`];
const asStatus = (id: number): object => sealForParent({ type: "ask", id, line: '{"rollcall":1,"command":"status"}' });

describe("a program that forks the command", { concurrency: 3 }, () => {
  for (const serialization of ["json", "advanced"] as const) {
    test(`hears egg-ready with where the service is, and stops it by a signal (${serialization})`, async (t) => {
      const forked = await forkMaster(t, { app: "http.mjs", flags: ["--workers", "2"], serialization });
      const { data, from, to } = await forked.untilLetter("egg-ready");
      const expected = { port: forked.appPort, debugPort: null, address: `http://127.0.0.1:${forked.appPort}`, protocol: "http" };
      assert.deepEqual(data, expected);
      assert.deepEqual([from, to], ["master", "parent"]);
      assert.equal(await (await fetch(`${expected.address}/`)).text(), "hello");
      forked.process.kill("SIGTERM");
      assert.equal(await forked.exited, 0);
      assert.deepEqual(
        forked.letters.map(({ action }) => action),
        ["egg-ready"],
        "nobody died, and a plain parent hears nothing that is sealed",
      );
    });
  }

  test("may ask everything at once when it hears egg-ready", async (t) => {
    const forked = await forkMaster(t, { app: "http.mjs", flags: ["--workers", "1"] });
    await once(forked.process, "message");
    assert.equal((await forked.status()).workers[0]?.processes[0]?.state, "ready");
  });

  test("hears who died, once the service is ready, and nothing of a planned end", async (t) => {
    const forked = await forkMaster(t, { app: "http.mjs", flags: ["--workers", "1", "--surge", "0", ...AGENT] });
    await forked.untilLetter("egg-ready");
    const status = await forked.status();
    kill(status.workers[0]?.processes[0]?.pid as number);
    assert.deepEqual((await forked.untilLetter("app-worker-died")).data, { outcome: "killed" });
    kill(status.agent?.processes[0]?.pid as number);
    assert.deepEqual((await forked.untilLetter("agent-worker-died")).data, { outcome: "killed" });
    await until("both are there again", async () => {
      const { agent, workers } = await forked.status();
      return [agent, workers[0]].every((slot) => slot?.processes[0]?.state === "ready");
    });
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0);
    assert.deepEqual(forked.letters.map(({ action }) => action).sort(), ["agent-worker-died", "app-worker-died", "egg-ready"]);
  });

  test("may die: the service goes on and says so", async (t) => {
    const forked = await forkMaster(t, { app: "http.mjs", flags: ["--workers", "1"] });
    await forked.untilLetter("egg-ready");
    forked.process.disconnect();
    await until("the master has noticed", () => forked.output().includes("the parent has closed its channel; the service goes on"));
    assert.equal(await (await fetch(`http://127.0.0.1:${forked.appPort}/`)).text(), "hello");
    assert.ok(isAlive(forked.pid));
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0);
  });

  test("is answered what it asked before the service could read", async (t) => {
    const forked = await forkMaster(t, { app: "http.mjs", flags: ["--workers", "1"] });
    forked.process.send(asStatus(7));
    const isAnswer = (raw: unknown): boolean => {
      const said = openFromService(raw);
      return said?.type === "answer" && said.id === 7 && said.answer.event === "status";
    };
    await until("the answer is there", () => forked.letters.some(isAnswer));
    await forked.untilLetter("egg-ready");
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0);
  });
});

const JUNK_LINES: readonly string[] = [
  "no json at all",
  '{"cut": ',
  "null",
  "[]",
  '"text"',
  "42",
  '{"action":"agent-start","from":"master","to":"app"}',
  '{"action":"app-exit","to":"master","data":{"workerId":1}}',
  '{"cmd":"NODE_HANDLE","type":"net.Socket"}',
  '{"cmd":"NODE_HANDLE","type":"nothing"}',
  '{"cmd":"NODE_HANDLE_ACK"}',
  '{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect"}',
  '{"rollcall":"rollcall/1","type":"ready"}',
  '{"rollcall":"rollcall/1","type":"ask","id":"x","line":7}',
  '{"rollcall":"rollcall/1","type":"ask","id":1,"line":"{}"}',
  '{"__proto__":{"rollcall":"rollcall/1"},"action":{}}',
  "\u0000\u0001\uFFFD",
];

for (const serialization of ["json", "advanced"] as const) {
  test(`letters of any kind and of hundreds of KiB are read as they were sent (${serialization})`, async (t) => {
    const forked = await forkMaster(t, { app: "http.mjs", flags: ["--workers", "1"], serialization });
    await forked.untilLetter("egg-ready");
    const long = { text: "\u00e9x".repeat(100_000) };
    const kinds = { bytes: Buffer.from([1, 2, 3]), map: new Map([[1, new Date()]]), big: 7n };
    for (let i = 0; i < 40; i++)
      forked.process.send({ action: "all-kinds", data: serialization === "advanced" ? { ...kinds, ...long } : long });
    forked.process.send(asStatus(1));
    await until("what was sent after it is answered", () => forked.letters.some((raw) => openFromService(raw)?.type === "answer"));
    assert.ok(!forked.output().includes("it is passed over"), forked.output());
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0);
  });
}

describe("junk on the channel to the parent", { concurrency: 2 }, () => {
  test("is also a word of Node's that comes with a handle, and the parent's next ones are taken", async (t) => {
    const forked = await forkMaster(t, { app: "http.mjs", flags: ["--workers", "1"] });
    await forked.untilLetter("egg-ready");
    const server = createServer().listen(0);
    await once(server, "listening");
    t.after(() => server.close());
    const open = fdsOf(forked.pid).length;
    for (const word of [{ cmd: "NODE_CLUSTER", act: "hasOwnProperty" }, { cmd: "NODE_HANDLE", type: "nothing" }, { action: "hello" }])
      for (let i = 0; i < 20; i++) forked.process.send(word, server);
    forked.process.send(asStatus(3));
    await until("the order is answered", () => forked.letters.some((raw) => openFromService(raw)?.type === "answer"));
    await until("no handle is kept", () => fdsOf(forked.pid).length < open + 20);
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0, forked.output());
  });

  test("costs the service nothing where messages are lines, and orders are still taken", async (t) => {
    const { channel, ...forked } = await forkRaw(t, { app: "http.mjs", flags: ["--workers", "1"] });
    let heard = "";
    channel.setEncoding("utf8").on("data", (chunk: string) => (heard += chunk));
    const ready = (): boolean => heard.includes('"egg-ready"');
    await until("it is ready", ready).catch(() => assert.fail(forked.output()));
    channel.write(JUNK_LINES.map((line) => `${line}\n`).join(""));
    channel.write(Buffer.from([0xff, 0xfe, 0x00, 0x0a]));
    // Longer than what a message may be, in pieces, and then one in many small pieces.
    for (let i = 0; i < 20; i++) channel.write("x".repeat(1024 * 1024));
    channel.write("\n");
    for (const letter of `${JSON.stringify(asStatus(9))}\n`) channel.write(letter);
    await until("the order is answered", () => heard.split("\n").some((line) => /"id":9,.*"event":"status"/.test(line)));
    assert.match(heard, /"id":1,.*"event":"error"/, "a request of no known form is refused in words");
    assert.equal(forked.output().split("it is passed over (said once)").length - 1, 1, forked.output());
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0, forked.output());
  });

  test("costs the service nothing where V8 serializes them, and orders are still taken", async (t) => {
    const { channel, ...forked } = await forkRaw(t, { app: "http.mjs", flags: ["--workers", "1"], serialization: "advanced" });
    let bytes = Buffer.alloc(0);
    channel.on("data", (chunk: Buffer) => (bytes = Buffer.concat([bytes, chunk])));
    await until("it is ready", () => bytes.includes("egg-ready")).catch(() => assert.fail(forked.output()));
    const frame = (body: Buffer): Buffer => {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(body.length);
      return Buffer.concat([header, body]);
    };
    channel.write(frame(Buffer.from("no message of V8's")));
    channel.write(frame(Buffer.alloc(0)));
    channel.write(frame(serialize([1, null, new Map([[1, 2]])])));
    channel.write(frame(Buffer.alloc(17 * 1024 * 1024, 1)));
    for (const byte of frame(serialize(asStatus(9)))) channel.write(Buffer.from([byte]));
    await until("the order is answered", () => bytes.includes("workersTarget"));
    assert.equal(forked.output().split("it is passed over (said once)").length - 1, 1, forked.output());
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0, forked.output());
  });

  test("a parent that asks and does not read costs a bounded buffer, and gets the rest when it reads", async (t) => {
    const { channel, ...forked } = await forkRaw(t, { app: "http.mjs", flags: ["--workers", "1"] });
    await until("it is ready", () => forked.output().includes("ready in")).catch(() => assert.fail(forked.output()));
    channel.pause();
    const asked = 12_000;
    for (let id = 1; id <= asked; id++) channel.write(`${JSON.stringify(asStatus(id))}\n`);
    await until("the master has read it all", () => channel.writableLength === 0, 90_000);
    assert.equal(await (await fetch(`http://127.0.0.1:${forked.appPort}/`)).text(), "hello");
    let size = 0;
    let answers = 0;
    let tail = "";
    channel.on("data", (chunk: Buffer) => {
      size += chunk.length;
      for (const byte of chunk) if (byte === 10) answers++;
      tail = `${tail.slice(-20_000)}${chunk}`;
    });
    channel.resume();
    let id = asked;
    await until("an order after what was kept is answered", () => {
      const last = [...tail.matchAll(/"id":(\d+)/g)].some(([, given]) => Number(given) > asked);
      if (!last) channel.write(`${JSON.stringify(asStatus(++id))}\n`);
      return last;
    });
    assert.ok(answers > 100 && answers < asked, `${answers} of ${asked} answers`);
    assert.ok(size < 8 * 1024 * 1024, `${size} bytes were kept`);
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0, forked.output());
  });

  test("a parent that floods and reads nothing costs a bounded memory, whatever it floods with, and holds up nobody else", async (t) => {
    const flags = ["--workers", "2", "--heartbeat-timeout", "10m"];
    const { channel, ...forked } = await forkRaw(t, { app: "http.mjs", flags });
    const isUp = async (): Promise<boolean> => (await forked.status().catch(() => null))?.workers.every(isReady) === true;
    await until("both workers are ready", isUp).catch(() => assert.fail(forked.output()));
    channel.pause();
    const stopped = (await forked.status()).workers[1]?.processes[0]?.pid as number;
    process.kill(stopped, "SIGSTOP");
    const before = await residentBytes(forked);
    for (const [message, megabytes] of FLOODS) {
      const line = `${JSON.stringify(message)}\n`;
      const lines = Buffer.from(line.repeat(Math.ceil(1_000_000 / line.length)));
      for (let sent = 0; sent < megabytes; sent++) channel.write(lines);
      await until("the master has read it all", () => channel.writableLength === 0, 90_000);
      assert.equal(await (await fetch(`http://127.0.0.1:${forked.appPort}/`)).text(), "hello");
      const grown = (await residentBytes(forked)) - before;
      assert.ok(grown < 100 * 1024 * 1024, `${grown} bytes more after ${megabytes} MB of ${line.slice(0, 60)}`);
    }
    process.kill(stopped, "SIGCONT");
    channel.resume();
    forked.process.kill("SIGTERM");
    assert.equal(await forked.exited, 0, forked.output());
  });
});

/** What a parent can flood with, and how many MB of it. Each of these made the master grow by more than may be, or would if it kept all. */
const FLOODS: readonly (readonly [object, number])[] = [
  [{ action: "long", data: "x".repeat(10_000), to: "app" }, 150],
  [{ action: "short", to: "parent" }, 8],
  [{ cmd: "NODE_HANDLE", type: "net.Socket" }, 10],
];

function isReady({ processes }: { readonly processes: readonly { readonly state: string }[] }): boolean {
  return processes[0]?.state === "ready";
}

async function residentBytes({ metricsPort }: { readonly metricsPort: number }): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1]);
}
