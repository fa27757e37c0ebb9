// A machine that has run out of something: descriptors for the master, descriptors for a worker, a reader for stdout.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { killTree } from "../helpers/processes.ts";
import { FIXTURES, ROLLCALL, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** Runs a command with few descriptors for each of its processes. */
const withDescriptors = (count: number): readonly string[] => ["bash", "-c", `ulimit -n ${count}; exec "$@"`, "--"];

describe("trouble", { concurrency: 2 }, () => {
  test("a master without descriptors cannot fork: it serves on, tries again with backoff, and ends well", {
    skip: noPrlimit(),
  }, async (t) => {
    const flags = ["--backoff-delay", "50ms", "--backoff-limit", "200ms", "--max-restarts", "100000"];
    const service = await startService(t, { app: "http.mjs", workers: 2, flags });
    await service.untilReady();
    const [first, second] = await service.workerPids();
    const limit = (files: number) => execFileSync("prlimit", ["--pid", String(service.pid), `--nofile=${files}:`]);
    // Whatever it opens from now on has a higher number than it may have.
    limit(Math.min(...freeDescriptors(service.pid)));
    process.kill(first as number, "SIGKILL");
    await until("a fork has failed", () => service.hasLogged(/^Cannot start worker 0: the master may open no more files \(EMFILE\)/));
    assert.equal(await (await fetch(service.url("/pid"), { headers: { connection: "close" } })).text(), String(second));
    limit(4_096);
    await until("the worker is back", async () => (await service.workerPids()).length === 2);
    assert.equal(service.hasLogged(/unexpected error in the master/), false);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
  });

  test("a worker without descriptors is left alone: its heartbeats go on", async (t) => {
    const service = await startService(t, {
      app: "trouble-descriptors.mjs",
      workers: 1,
      flags: ["--heartbeat-timeout", "2s"],
      wrapper: withDescriptors(256),
    });
    await service.untilReady();
    const before = await service.workerPids();
    const held = await (await fetch(service.url("/exhaust?ms=3500"), { headers: { connection: "close" } })).text();
    assert.ok(Number(held) > 50, held);
    assert.deepEqual(await service.workerPids(), before);
    assert.equal(await service.metric('rollcall_process_exits_total{role="worker",outcome="crash"}'), 0);
  });

  test("a stdout that nobody reads costs log lines, not probes, and not the stop", async (t) => {
    const [port, probes, metrics] = [await freePort(), await freePort(), await freePort()];
    const ports = ["--port", String(port), "--probes-port", String(probes), "--metrics-port", String(metrics)];
    const flags = ["--workers", "1", "--stop-timeout", "4s", "--control", "off"];
    // Nothing reads the pipe: no listener is added to it until the end.
    const master = spawn(process.execPath, [ROLLCALL, ...ports, ...flags, `${FIXTURES}http.mjs`], { stdio: ["ignore", "pipe", "ignore"] });
    t.after(() => master.exitCode === null && killTree(master.pid as number));
    const exited = new Promise<number | null>((resolve) => master.once("exit", resolve));
    const ask = (url: string) => fetch(`http://127.0.0.1:${url}`, { headers: { connection: "close" } });
    await until("it is ready", async () => (await ask(`${probes}/ready`)).status === 200);
    const printed = async () =>
      Number(/^rollcall_signals_total\{signal="SIGUSR2"\} (\d+)$/m.exec(await (await ask(`${metrics}/metrics`)).text())?.[1]);
    // Each is a line of about a kilobyte: far more than what lies between the two processes holds.
    await until(
      "it has printed its status often enough to fill every pipe",
      async () => {
        process.kill(master.pid as number, "SIGUSR2");
        assert.equal((await ask(`${probes}/live`)).status, 200);
        return (await printed()) > 300;
      },
      60_000,
    );
    process.kill(master.pid as number, "SIGTERM");
    assert.equal(await exited, 0);
    let size = 0;
    for await (const chunk of master.stdout) size += (chunk as Buffer).length;
    assert.ok(size > 10_000 && size < 150_000, `${size} bytes came through`);
  });
});

/** The numbers that its next descriptors would have. */
function freeDescriptors(pid: number): readonly number[] {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  return Array.from({ length: open.size + 1 }, (_, fd) => fd).filter((fd) => !open.has(fd));
}

function noPrlimit(): false | string {
  return spawnSync("prlimit", ["--version"]).status !== 0 && "needs prlimit (util-linux)";
}
