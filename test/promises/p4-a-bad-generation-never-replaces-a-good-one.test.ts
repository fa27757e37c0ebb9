// P4. New code that fails to boot, or soon after it, leaves the old workers serving and ready, and says so.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../helpers/load.ts";
import { type ServiceOptions, startService } from "../helpers/service.ts";
import { STRATEGIES } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const GOOD = 'import http from "node:http";\nhttp.createServer((_, response) => response.end("good")).listen(Number(process.env.PORT));\n';
const BAD = {
  "throws at load": 'throw new Error("bad code");\n',
  "has a syntax error": "export default ][;\n",
  "never becomes ready": "setInterval(() => {}, 1_000);\n",
  "exits at once": "process.exit(0);\n",
};
const FAILS_WHEN_ASKED = GOOD.replace('response.end("good")', "process.exit(1)");
const FAILS_LATER = `${GOOD}setTimeout(() => process.exit(1), 2_000);\n`;

for (const [what, code] of Object.entries(BAD))
  test(`keeps the old workers when the new code ${what}`, (t) => holdOut(t, code, { workers: 2 }));

// With the default of `settle`, which the tests otherwise do without.
for (const workers of [1, 2, 4])
  test(`keeps ${workers} of ${workers} old workers when the new code crashes 2 s after it was ready`, (t) =>
    holdOut(t, FAILS_LATER, { workers, env: { ROLLCALL_SETTLE: "3s" } }));

// On trial it is asked, whoever hands connections out; only then can it be seen.
for (const listen of STRATEGIES)
  for (const workers of [1, 2])
    test(`${listen}: keeps ${workers} of ${workers} old workers when the new code fails as soon as it is asked`, (t) =>
      holdOut(t, FAILS_WHEN_ASKED, { workers, env: { ROLLCALL_SETTLE: "3s", ROLLCALL_LISTEN: listen } }));

async function holdOut(t: TestContext, code: string, options: Pick<ServiceOptions, "workers" | "env">): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rc-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const app = join(folder, "app.mjs");
  writeFileSync(app, GOOD);
  const service = await startService(t, { app, flags: ["--boot-timeout", "6s"], ...options });
  await service.untilReady();
  const before = await service.workerPids();

  writeFileSync(app, code);
  const answers = new Set<number>();
  let asked = 0;
  service.signal("SIGHUP");
  await until("the reload has failed", async () => {
    answers.add(await service.probe("ready"));
    // From many addresses: with sticky, the worker on trial has its own clients only.
    const localAddress = `127.0.0.${2 + (asked++ % 16)}`;
    await ask(service.url("/"), false, { localAddress }).catch(() => {});
    return (await service.metric('rollcall_reloads_total{result="failure"}')) === 1;
  });
  answers.add(await service.probe("ready"));
  assert.deepEqual([...answers], [200]);
  assert.deepEqual(await service.workerPids(), before);
  assert.equal(await (await fetch(service.url("/"))).text(), "good");
  assert.ok(service.hasLogged(/reload aborted: worker 0 of generation 2 failed; the old workers keep serving/));

  writeFileSync(app, GOOD);
  service.signal("SIGHUP");
  await until("good code reloads", async () => (await service.metric('rollcall_reloads_total{result="success"}')) === 1);
}
