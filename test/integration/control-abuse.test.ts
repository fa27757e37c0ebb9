// What clients of the control socket may do to the master: nothing. Junk, floods, half lines, deaf ears, and vanishing at the wrong moment.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { ask, type ControlClient, openClient } from "../helpers/control.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const STATUS = '{"rollcall":1,"command":"status"}\n';
const RELOAD = '{"rollcall":1,"command":"reload"}\n';
const JUNK_CONNECTIONS = 5_000;
const AT_ONCE = 50;
/** Probes and scrapes of this test come and go. */
const SLACK_FDS = 4;
const MIB = 1024 * 1024;
const FLOOD_MIB = 512;

async function start(t: TestContext): Promise<Service & { readonly fds: number }> {
  const service = await startService(t, { app: "http.mjs", workers: 2, flags: ["--drain-idle", "50ms"] });
  await service.untilReady();
  await ask(t, service.control, STATUS);
  return { ...service, fds: countFds(service.pid) };
}

function countFds(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Nothing is left of the clients, and the master does its work. */
async function isUnharmed(t: TestContext, service: Service & { readonly fds: number }): Promise<void> {
  await until("the descriptors are back to where they were", () => countFds(service.pid) <= service.fds + SLACK_FDS);
  assert.equal((await ask(t, service.control, STATUS))[0]?.event, "status");
  assert.equal(await service.probe("live"), 200);
  assert.ok(!/unexpected error|MaxListenersExceededWarning/.test(service.output()), service.output());
}

/** One connection, the kind of junk chosen by `index`; resolves when it is closed. */
function annoy(path: string, index: number): Promise<void> {
  const junk = [() => "junk\n", () => "", () => '{"rollcall":1,', () => "\0\xff\n\n\n", () => '{"rollcall":9}\n', () => STATUS + STATUS];
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("error", () => {});
    socket.once("close", () => resolve());
    const text = junk[index % junk.length]?.() ?? "";
    if (index % 7 === 0) socket.once("connect", () => socket.destroy());
    else socket.end(text);
    socket.resume();
  });
}

test("survives thousands of connections with junk, and keeps nothing of them", async (t) => {
  const service = await start(t);
  let next = 0;
  const one = async (): Promise<void> => {
    for (let index = next++; index < JUNK_CONNECTIONS; index = next++) await annoy(service.control, index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  await isUnharmed(t, service);
});

test("answers junk with a line that says what was expected, and closes", async (t) => {
  const service = await start(t);
  for (const [text, message] of [
    ["junk\n", /expected a line of JSON/],
    ['{"rollcall":2,"command":"status"}\n', /expected version 1 of the protocol/],
    ['{"rollcall":1,"command":"explode"}\n', /unknown command "explode"; expected one of status, /],
    ["x".repeat(MIB), /expected a line of at most 65536 bytes/],
    [`${"x".repeat(70_000)}\n`, /expected a line of at most 65536 bytes/],
    [STATUS + STATUS, /expected one request on a connection/],
  ] as const) {
    const answers = await ask(t, service.control, text);
    const [answer] = answers;
    assert.ok(answer?.event === "error" && answers.length === 1, JSON.stringify(answers));
    assert.match(answer.message, message);
  }
  const half = openClient(t, service.control);
  half.socket.end('{"rollcall":1');
  await half.closed;
  assert.match(JSON.stringify(half.answers()), /ends with a newline/);
  await isUnharmed(t, service);
});

test("tells a client why, though that is still writing when it is told", async (t) => {
  const service = await start(t);
  const block = Buffer.alloc(MIB, "x");
  for (let round = 0; round < 30; round++) {
    const client = openClient(t, service.control);
    for (let index = 0; index < 8; index++) client.socket.write(block);
    await client.closed;
    assert.match(JSON.stringify(client.answers()), /^\[\{[^{]*expected a line of at most 65536 bytes"\}\]$/, `round ${round}`);
  }
  await isUnharmed(t, service);
});

test("cuts off a client that has had its answer and goes on writing for ever", async (t) => {
  const service = await start(t);
  // One that does not end its own side when the other one has ended.
  const socket = connect({ path: service.control, allowHalfOpen: true }).on("error", () => {});
  t.after(() => socket.destroy());
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
  const more = (): void => void (socket.destroyed || socket.write("junk\n".repeat(200), () => setImmediate(more)));
  more();
  await until("it has its answer", () => received.endsWith("\n"));
  assert.match(received, /expected a line of JSON/);
  await until("it is cut off", () => socket.destroyed);
  await isUnharmed(t, service);
});

test("takes a request in pieces, and from one that says no more after it", async (t) => {
  const service = await start(t);
  const client = openClient(t, service.control);
  for (const piece of ['{"rollcall":1,', '"command":', '"status"}\n']) {
    client.socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.closed;
  assert.ok(client.has("status"));
  const brief = openClient(t, service.control);
  brief.socket.end(STATUS);
  await brief.closed;
  assert.ok(brief.has("status"));
  const patient = openClient(t, service.control);
  patient.socket.end(RELOAD);
  await patient.closed;
  assert.ok(patient.has("done"));
});

test("lets go of a client that sends half a line and waits", async (t) => {
  const service = await start(t);
  const client = openClient(t, service.control, '{"rollcall":');
  await client.closed;
  const [answer] = client.answers();
  assert.ok(answer?.event === "error" && /within 5000 ms/.test(answer.message));
  await isUnharmed(t, service);
});

test("refuses more clients than it has places for, and has them again when they leave", async (t) => {
  const service = await start(t);
  let idle: ControlClient[] = [];
  await until("one is refused", async () => {
    idle = idle.filter(({ socket }) => !socket.destroyed);
    while (idle.length < 64) idle.push(openClient(t, service.control));
    return /64 clients are connected already/.test(JSON.stringify(await ask(t, service.control, STATUS)));
  });
  for (const { socket } of idle) socket.destroy();
  await isUnharmed(t, service);
});

test("does not wait for a client that asks and never reads, nor for a flood", async (t) => {
  const service = await start(t);
  const before = residentBytes(service.pid);
  for (let index = 0; index < 300; index++) {
    const deaf = connect(service.control).on("error", () => {});
    t.after(() => deaf.destroy());
    deaf.pause().write(STATUS);
    if (index % 30 === 29) await until("the last one was served or refused", () => deaf.bytesWritten > 0);
  }
  const flood = openClient(t, service.control);
  const block = Buffer.alloc(MIB, "x");
  for (let index = 0; index < FLOOD_MIB && !flood.socket.destroyed; index++) flood.socket.write(block);
  await flood.closed;
  assert.equal(await service.probe("ready"), 200);
  const grownBy = (residentBytes(service.pid) - before) / MIB;
  // What was read and thrown away is garbage until it is collected; what was kept would be all of it.
  assert.ok(grownBy < FLOOD_MIB / 2, `${grownBy} MiB`);
  await isUnharmed(t, service);
});

test("finishes the orders of clients that vanish", async (t) => {
  const service = await start(t);
  for (let generation = 2; generation <= 4; generation++) {
    const client = openClient(t, service.control, RELOAD);
    await until("it is under way", () => client.has("step"));
    client.socket.destroy();
    await until("the generation runs", async () => {
      const { reloading, workers } = await service.status();
      return !reloading && workers.every((slot) => slot.processes.length === 1 && slot.processes[0]?.generation === generation);
    });
  }
  await isUnharmed(t, service);
});
