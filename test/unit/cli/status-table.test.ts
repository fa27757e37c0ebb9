// The page of `rollcall status`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, type Status, statusPage } from "../../../src/cli/status-table.ts";
import { takeSnapshot } from "../../../src/policy/snapshot.ts";
import { SAMPLE, Story } from "../../helpers/story.ts";

function pageOf(story: Story, more: Partial<Status> = {}): readonly string[] {
  const service = { version: "1.2.3", node: "v26.0.0", pid: 1, uptimeSeconds: 192, app: "/app/server.js", title: null };
  const status: Status = { ...service, addresses: ["http://localhost:3000"], ...takeSnapshot(story.state, story.now), ...more };
  return statusPage(status, (tone, text) => (tone === "bad" ? `!${text}!` : text)).split("\n");
}

test("shows the service, and a row for each process", () => {
  const story = new Story().boot();
  story.feed({ type: "beat", life: 2, sample: SAMPLE });
  story.pass(4_000).signal("SIGHUP");
  assert.deepEqual(pageOf(story, { generation: 2 }), [
    "/app/server.js: reloading, ready, live, generation 2",
    "rollcall 1.2.3, Node v26.0.0, pid 1, up 3m 12s",
    "workers: 2 of 2 ready; roll call: 0 of 3 strikes",
    "http://localhost:3000",
    "",
    "          state       pid  generation  restarts  uptime  memory  loop  in flight  requests",
    "agent     ready     10001           1         0      4s  48 MiB  10 %          0",
    "worker 0  ready     10002           1         0      4s  48 MiB  10 %          0        10",
    "          starting  10004           2               0ms",
    "worker 1  ready     10003           1         0      4s  48 MiB  10 %          0        10",
    "",
  ]);
});

test("shows a thread by its number, and of its memory the heap", () => {
  const story = new Story().boot();
  const [life] = story.state.agent?.lives ?? [];
  assert.ok(life !== undefined);
  story.feed({ type: "forked", life: life.id, pid: 1, thread: 7 });
  story.feed({ type: "beat", life: life.id, sample: { ...SAMPLE, heapUsedBytes: 12 << 20 } });
  assert.match(pageOf(story)[6] ?? "", /^agent +ready +1 thread 7 +1 +0 +0ms +heap 12 MiB /);
});

test("says what is wrong, and what is so on purpose", () => {
  const story = new Story({ workerCount: 1, hasAgent: false }).boot();
  story.feed({ type: "ordered", order: { kind: "maintain", on: true } });
  for (let times = 0; times < 3; times++) {
    story.pass(600).ready();
    story.exit(story.worker(0), 1);
  }
  const page = pageOf(story, { title: "shop", addresses: [] });
  assert.equal(page[0], "shop: running, !not ready!, live, generation 1");
  assert.equal(page[3], "drained by request: rollcall undrain takes it back");
  assert.match(page.at(-2) ?? "", /^worker 0 {2}!backoff 1s! +2 +0$/);
});

test("says times as a person would", () => {
  const said = [0, 0.85, 42.9, 192, 7_500, 273_600].map(duration);
  assert.deepEqual(said, ["0ms", "850ms", "42s", "3m 12s", "2h 5m", "3d 4h"]);
});
