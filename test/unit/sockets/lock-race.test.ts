// One owner per port, however close together two services of several processes start.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../../helpers/ports.ts";
import { kill } from "../../helpers/processes.ts";

const RACER = fileURLToPath(new URL("../../fixtures/lock-racer.ts", import.meta.url));
const PAIRS = 50;
const SERVICES = ["a", "b"] as const;
const WORKERS = 2;
/** Until all of them have read when to start. */
const HEAD_START_MS = 200;

interface Racer {
  readonly child: ChildProcess;
  line(): Promise<string>;
}

test(`${PAIRS} pairs of services in the same millisecond: one has the port with all its workers, none of the other's`, {
  skip: process.platform !== "linux" && "needs Linux",
}, async (t) => {
  const ports: number[] = [];
  while (ports.length < PAIRS) ports.push(await freePort());
  const racers = await Promise.all(
    SERVICES.flatMap((service) => Array.from({ length: WORKERS }, () => startRacer(t, `${process.pid}-${service}`, ports))),
  );
  const startAt = Date.now() + HEAD_START_MS;
  for (const { child } of racers) child.stdin?.write(String(startAt));
  const states = await Promise.all(racers.map(async (racer) => JSON.parse(await racer.line()) as string[]));
  for (const [index, port] of ports.entries()) {
    const [first, second] = SERVICES.map((_, service) =>
      states
        .slice(service * WORKERS, (service + 1) * WORKERS)
        .map((each) => each[index])
        .sort()
        .join(),
    );
    assert.deepEqual([first, second].sort(), ["foreign,foreign", "shared,taken"], `pair ${index} on port ${port}`);
  }
});

async function startRacer(t: TestContext, service: string, ports: readonly number[]): Promise<Racer> {
  const child = spawn(process.execPath, [RACER, service, JSON.stringify(ports)], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => kill(child.pid as number));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`a racer exited with ${code}`);
  });
  const line = (): Promise<string> => Promise.race([lines.next().then(({ value }) => value as string), ended]);
  await line();
  return { child, line };
}
