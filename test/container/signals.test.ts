// Signals to a container's process 1, at many moments of its start and from a terminal. One TERM must be enough, from the moment that
// Rollcall's handlers are in. Before Node runs any code the kernel drops it (process 1 has no default actions): no program can help that.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../helpers/until.ts";
import { BOOT_MS, type Container, catches, createContainer, docker, LOCKED, run, skip, uniqueName, useImage, watch } from "./helpers.ts";

/** The last handler that src/system/signals.ts installs. Not SIGTERM itself: Node catches that for its terminal before it runs our code. */
const SIGUSR2 = 12;
const MOMENTS_MS = [0, 20, 50, 100, 300, 600];
const BUDGET_MS = 9_000;

describe("signals to a container", { skip }, () => {
  const image = useImage();

  for (const moment of MOMENTS_MS) {
    it(`ends with 0 on one TERM ${moment} ms after its handlers are in`, async (t) => {
      const container = await createContainer(t, image, LOCKED);
      const started = docker(["start", container.name]);
      const pid = await firstSight(container);
      await handlersIn(pid);
      if (moment > 0) await sleep(moment); // the moment is what is tested
      await assertEnds(container, started, await terminate(container, pid));
    });

    it(`ends with 0 on TERM ${moment} ms after its process began, repeated only where it came before the handlers`, async (t) => {
      const container = await createContainer(t, image, LOCKED);
      const started = docker(["start", container.name]);
      const pid = await firstSight(container);
      await sleep(moment); // the moment is what is tested
      const heard = catches(pid, SIGUSR2);
      let sentAt = await terminate(container, pid);
      if (!heard) {
        t.diagnostic(`${moment} ms: before the handlers, so sent once more when they are in`);
        await handlersIn(pid);
        if (!isGone(pid)) sentAt = await terminate(container, pid);
      }
      await assertEnds(container, started, sentAt);
    });
  }

  it("ends with 0 on Ctrl-C in docker run -it", async (t) => {
    const name = uniqueName();
    t.after(() => run("docker", ["rm", "--force", name]));
    // script(1) gives docker the terminal that this process need not have.
    const command = `docker run -it --name ${name} ${LOCKED.join(" ")} ${image}`;
    const terminal = spawn("/usr/bin/env", ["script", "--quiet", "--return", "--command", command, "/dev/null"]);
    endWithTest(t, terminal);
    let screen = "";
    for (const stream of [terminal.stdout, terminal.stderr]) stream.on("data", (chunk: Buffer) => (screen += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => terminal.once("close", resolve));
    await until("the screen says that it is ready", () => /ready in \d+ ms/.test(screen), BOOT_MS).catch((error: Error) => {
      throw new Error(`${error.message}\n${screen}`);
    });
    terminal.stdin.write("\x03");
    assert.equal(await ended, 0, screen);
    assert.equal(await watch(name).inspect("{{.State.ExitCode}} {{.State.OOMKilled}}"), "0 false");
    assert.doesNotMatch(screen, /^\{"level"/m, "on a terminal the log is for people");
  });
});

/** Sends TERM without docker's own delay where this user may. */
async function terminate(container: Container, pid: number): Promise<number> {
  const at = performance.now();
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPERM") await docker(["kill", "--signal", "TERM", container.name]);
  }
  return at;
}

async function assertEnds(container: Container, started: Promise<string>, sentAt: number): Promise<void> {
  await started;
  const code = await container.exited();
  const afterMs = performance.now() - sentAt;
  assert.equal(code, 0, await container.logs());
  assert.equal(await container.inspect("{{.State.Status}}"), "exited");
  assert.ok(afterMs < BUDGET_MS, `it took ${Math.round(afterMs)} ms`);
}

/** The container's process 1 as soon as it runs our command, long before docker start returns: found by its control group. */
async function firstSight(container: Container): Promise<number> {
  const id = await container.inspect("{{.Id}}");
  const endsAt = performance.now() + BOOT_MS;
  while (performance.now() < endsAt) {
    for (const name of readdirSync("/proc")) {
      if (/^\d+$/.test(name) && read(`/proc/${name}/cmdline`).includes("/rollcall.js\0") && read(`/proc/${name}/cgroup`).includes(id))
        return Number(name);
    }
    await sleep(1);
  }
  throw new Error(`no process of ${container.name} within ${BOOT_MS} ms: is the engine on this machine?\n${await container.logs()}`);
}

/** Looks every millisecond: the moments after it are what is tested. Ends early if the process does. */
async function handlersIn(pid: number): Promise<void> {
  const endsAt = performance.now() + BOOT_MS;
  while (!isGone(pid) && !catches(pid, SIGUSR2)) {
    if (performance.now() > endsAt) throw new Error(`process ${pid} has no handlers after ${BOOT_MS} ms`);
    await sleep(1);
  }
}

function isGone(pid: number): boolean {
  return read(`/proc/${pid}/cmdline`) === "";
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function endWithTest(t: TestContext, child: ChildProcess): void {
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  });
}
