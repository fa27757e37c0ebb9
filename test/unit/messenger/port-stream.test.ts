// The stream over a port, with both of its ends in this thread.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { PortStream } from "../../../src/messenger/port-stream.ts";
import { until } from "../../helpers/until.ts";

function pair(): { readonly left: PortStream; readonly right: PortStream } {
  const { port1, port2 } = new MessageChannel();
  return { left: new PortStream(port1), right: new PortStream(port2) };
}

test("brings bytes in order, and leaves the writer its memory", async () => {
  const { left, right } = pair();
  const read: Buffer[] = [];
  right.on("data", (bytes: Buffer) => read.push(Buffer.from(bytes)));
  const memory = Buffer.from("one ");
  await new Promise((resolve) => left.write(memory, resolve));
  memory.fill("x");
  left.write("two");
  await until("all is read", () => Buffer.concat(read).toString() === "one two");
  left.destroy();
});

test("lets a writer go no further ahead of a reader that rests than its window, and loses nothing", async () => {
  const { left, right } = pair();
  let taken = 0;
  let read = 0;
  right.on("data", (bytes: Buffer) => (read += bytes.length)).pause();
  for (let times = 0; times < 100; times++) left.write(Buffer.alloc(64 * 1024), () => taken++);
  for (let turns = 0; turns < 50; turns++) await turn();
  assert.ok(taken < 10, `${taken} of 100 were taken`);
  right.resume();
  await until("all is read", () => taken === 100 && read === 100 * 64 * 1024);
  left.destroy();
});

test("ends on one side when the other has gone, after what was written before", async (t) => {
  // The ports keep no process alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  const { left, right } = pair();
  let read = "";
  const closed = new Promise((resolve) => left.on("data", (bytes: Buffer) => (read += bytes.toString())).once("close", resolve));
  right.write("last words");
  right.destroy();
  await closed;
  assert.equal(read, "last words");
  assert.ok(left.destroyed);
});
