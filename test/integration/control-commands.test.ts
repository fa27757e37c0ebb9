// The commands to a running service: what they print, when they return, and how they exit.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openClient } from "../helpers/control.ts";
import { isAlive } from "../helpers/processes.ts";
import { ROLLCALL, runRollcall, type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const GOOD = 'import http from "node:http";\nhttp.createServer((_, response) => response.end("good")).listen(Number(process.env.PORT));\n';

async function start(t: TestContext, flags: readonly string[] = [], code: string = GOOD): Promise<Service & { readonly app: string }> {
  const folder = await mkdtemp(join(tmpdir(), "rc-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const app = join(folder, "app.mjs");
  writeFileSync(app, code);
  const service = await startService(t, { app, agent: "agent.mjs", workers: 2, flags: ["--drain-idle", "50ms", ...flags] });
  await service.untilReady();
  return { ...service, app };
}

function command(t: TestContext, service: Service, ...words: readonly string[]): ReturnType<typeof runRollcall> {
  return runRollcall(t, [...words, "--control", service.control]);
}

function events(stdout: string): readonly string[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => {
      const { rollcall, event, happened } = JSON.parse(line) as { rollcall: number; event: string; happened?: { type: string } };
      assert.equal(rollcall, 1);
      return happened?.type ?? event;
    });
}

test("reload tells each step, and exits 0 when every slot runs the new generation and the old workers have gone", async (t) => {
  const service = await start(t);
  const before = await service.workerPids();
  const { code, stdout, stderr } = await command(t, service, "reload");
  assert.equal(code, 0, stderr);
  assert.equal(before.some(isAlive), false);
  const { workers, generation } = await service.status();
  assert.deepEqual([generation, ...workers.map((slot) => slot.processes.map((each) => each.generation))], [2, [2], [2]]);
  for (const slot of [0, 1]) {
    const pid = workers[slot]?.processes[0]?.pid;
    assert.match(stdout, new RegExp(`^worker ${slot}: pid ${before[slot]} generation 1 → pid ${pid} generation 2 ready in \\d+ ms$`, "m"));
    assert.match(stdout, new RegExp(`^worker ${slot}: old one \\(pid ${before[slot]} generation 1\\) drained$`, "m"));
  }
  assert.match(stdout, /reload done: every worker runs the new generation\n$/);
});

test("reload --json says the same in events", async (t) => {
  const service = await start(t);
  const { code, stdout } = await command(t, service, "reload", "--json");
  assert.equal(code, 0);
  const said = events(stdout);
  assert.equal(said[0], "accepted");
  assert.equal(said.at(-1), "done");
  for (const type of ["started", "readied", "draining", "ended"]) assert.equal(said.filter((each) => each === type).length, 2, stdout);
});

test("reload of a bad generation exits 1 and says why, while the service stays ready", async (t) => {
  const service = await start(t, ["--boot-timeout", "6s"]);
  const before = await service.workerPids();
  for (const [code, why] of [
    ['throw new Error("bad code");\n', /reload failed: worker 0 of generation \d failed.*Error: bad code/],
    ["setInterval(() => {}, 1_000);\n", /reload failed: .*not ready within 6000 ms/],
    ["process.exit(9);\n", /reload failed: .*exited with code 9 before it was ready/],
  ] as const) {
    writeFileSync(service.app, code);
    const probes = new Set<number>();
    let isOver = false;
    const reload = command(t, service, "reload").finally(() => {
      isOver = true;
    });
    await until("the reload is over", async () => {
      probes.add(await service.probe("ready"));
      return isOver;
    });
    const { code: exit, stderr } = await reload;
    assert.equal(exit, 1);
    assert.match(stderr, why);
    assert.deepEqual([...probes], [200]);
  }
  assert.deepEqual(await service.workerPids(), before);
  assert.equal(await service.metric('rollcall_reloads_total{result="failure"}'), 3);
});

test("reload of code that fails on trial exits 1, and never says that the slot has changed hands", async (t) => {
  const service = await start(t, ["--settle", "60s"]);
  const [old] = await service.workerPids();
  writeFileSync(service.app, `${GOOD}setTimeout(() => { throw new Error("late"); }, 300);\n`);
  const { code, stdout, stderr } = await command(t, service, "reload");
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`^worker 0: pid \\d+ generation 2 ready in \\d+ ms, on trial beside pid ${old} generation 1$`, "m"));
  assert.match(
    stdout,
    new RegExp(`^worker 0: pid \\d+ generation 2 draining after an uncaught exception; pid ${old} generation 1 stays$`, "m"),
  );
  assert.doesNotMatch(stdout, /→/);
  assert.match(stderr, /^rollcall: reload failed: worker 0 of generation 2 failed: worker 0: Error: late$/m);
});

test("two reloads at once each wait for a generation of their own", async (t) => {
  const service = await start(t);
  const first = openClient(t, service.control, '{"rollcall":1,"command":"reload"}\n');
  await until("it is accepted", () => first.has("accepted"));
  const second = openClient(t, service.control, '{"rollcall":1,"command":"reload"}\n');
  await Promise.all([first.closed, second.closed]);
  for (const [client, generation] of [
    [first, 2],
    [second, 3],
  ] as const) {
    const [accepted] = client.answers();
    assert.ok(accepted?.event === "accepted");
    assert.deepEqual([accepted.generation, accepted.queued, client.has("done")], [generation, generation === 3, true]);
  }
  assert.equal((await service.status()).generation, 3);
});

test("scale goes to a number, up and down, and returns when that is so", async (t) => {
  const service = await start(t);
  const count = async (): Promise<number> => (await service.status()).workers.filter((slot) => slot.state === "ready").length;
  for (const [by, expected] of [
    ["4", 4],
    ["-2", 2],
    ["+1", 3],
    ["3", 3],
    ["1", 1],
  ] as const) {
    const { code, stdout, stderr } = await command(t, service, "scale", by);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^scale: to ${expected} worker`));
    assert.deepEqual([await count(), (await service.status()).workers.length], [expected, expected]);
  }
  for (const [by, why] of [
    ["-1", "at least one worker stays"],
    ["+1024", "there can be 1024 workers at most"],
  ] as const) {
    const { code, stderr } = await command(t, service, "scale", by);
    assert.deepEqual([code, stderr], [1, `rollcall: scale failed: ${why}\n`]);
  }
});

test("scale exits 1 when a new worker fails, with its reason, and the service goes on trying", async (t) => {
  const service = await start(t);
  writeFileSync(service.app, 'throw new Error("bad code");\n');
  const { code, stderr } = await command(t, service, "scale", "3");
  assert.equal(code, 1);
  assert.match(stderr, /scale failed: worker 2 failed to start; the service goes on trying: .*bad code/);
  writeFileSync(service.app, GOOD);
  await until("it has three", async () => (await service.status()).workersReady === 3);
});

test("drain fails readiness and nothing else, undrain takes it back", async (t) => {
  const service = await start(t);
  assert.match((await command(t, service, "drain")).stdout, /^drained: \/ready answers 500/);
  assert.deepEqual([await service.probe("ready"), await service.probe("live")], [500, 200]);
  assert.equal(await (await fetch(service.url("/"))).text(), "good");
  assert.equal((await service.status()).maintenance, true);
  assert.match((await command(t, service, "undrain")).stdout, /^undrained/);
  assert.equal(await service.probe("ready"), 200);
});

test("stop returns when the service has ended, and says how", async (t) => {
  const service = await start(t);
  const ended = service.exited();
  const { code, stdout } = await command(t, service, "stop");
  assert.equal(isAlive(service.pid), false);
  assert.deepEqual([code, (await ended).code], [0, 0]);
  assert.match(stdout, /worker 0: pid \d+ generation 1 drained\n/);
  assert.match(stdout, /stopped: the service has ended with exit code 0\n$/);
});

test("stop --fast ends what does not drain, as a second signal does", async (t) => {
  const stubborn = `${GOOD}process.on("SIGTERM", () => {});\nsetInterval(() => {}, 1_000);\n`;
  const service = await start(t, ["--stop-timeout", "60s"], stubborn);
  const ended = service.exited();
  const { code, stdout } = await command(t, service, "stop", "--fast", "--json");
  assert.deepEqual([code, (await ended).code], [0, 143]);
  assert.deepEqual(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""), { rollcall: 1, event: "ended", exitCode: 143 });
});

test("status shows a table, and with --json what /status has", async (t) => {
  const service = await start(t, ["--title", "shop"]);
  const { code, stdout } = await command(t, service, "status");
  assert.equal(code, 0);
  assert.match(stdout, /^shop: running, ready, live, generation 1\n/);
  for (const row of ["agent", "worker 0", "worker 1"]) assert.match(stdout, new RegExp(`^${row} +ready +\\d+ +1 `, "m"));
  assert.ok(!stdout.includes("\u001b"), "no colours into a pipe");
  const asJson = JSON.parse((await command(t, service, "status", "--json")).stdout) as Record<string, unknown>;
  assert.deepEqual(Object.keys(asJson), Object.keys(await service.status()));
  assert.equal(asJson.title, "shop");
});

test("a command that is interrupted leaves its order to the service", async (t) => {
  const slow = `await new Promise((resolve) => setTimeout(resolve, 300));\n${GOOD}`;
  const service = await start(t, [], slow);
  const client = spawn(process.execPath, [ROLLCALL, "reload", "--control", service.control], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => client.kill("SIGKILL"));
  let said = "";
  client.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await until("it is under way", () => /starting/.test(said));
  client.kill("SIGINT");
  await until("the reload is done", async () => (await service.metric('rollcall_reloads_total{result="success"}')) === 1);
  assert.equal((await service.status()).generation, 2);
});

test("a command whose service is killed says so and exits 1; a stop has what it wanted", async (t) => {
  const slow = `await new Promise((resolve) => setTimeout(resolve, 60_000));\n`;
  const service = await start(t);
  writeFileSync(service.app, slow);
  const reload = command(t, service, "reload");
  await until("it is under way", async () => (await service.status()).reloading);
  service.signal("SIGKILL");
  const { code, stderr } = await reload;
  assert.equal(code, 1);
  assert.match(stderr, /reload: the connection was lost before it was done/);
});

test("wrong words get an answer and exit 2 without any service", async (t) => {
  for (const [words, problem] of [
    [["scale", "many"], /scale: expected a number of workers up to 1024, such as 4, \+1 or -1; got "many"/],
    [["scale", "1025"], /scale: expected a number of workers up to 1024, .*; got "1025"/],
    [["scale", "+100000"], /scale: expected a number of workers up to 1024, .*; got "\+100000"/],
    [["scale"], /scale: expected a number of workers/],
    [["restart", "worker"], /restart: expected agent or the number of a worker's slot; got "worker"/],
    [["reload", "--agnet"], /unknown option --agnet; did you mean "--agent"\?/],
    [["relaod"], /"relaod" is no command and no file; did you mean "reload"\?/],
  ] as const) {
    const { code, stderr } = await runRollcall(t, words);
    assert.equal(code, 2, words.join(" "));
    assert.match(stderr, problem);
  }
});

test("every command has a help of its own", async (t) => {
  for (const name of ["status", "reload", "scale", "restart", "drain", "undrain", "stop"]) {
    const { code, stdout } = await runRollcall(t, [name, "--help"]);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^Usage:\\n  rollcall ${name}`));
  }
});
