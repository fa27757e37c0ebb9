// Process 1 of a real container: orphans in numbers, while workers crash; without koffi; behind `docker run --init`; in a shared PID namespace.
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { OrphansView } from "../../src/master/orphans.ts";
import { until } from "../helpers/until.ts";
import {
  BOOT_MS,
  BUILD_MS,
  build,
  type Container,
  docker,
  LOCKED,
  ROOT,
  run,
  skip,
  startContainer,
  uniqueName,
  useImage,
} from "./helpers.ts";

const TINI = "/usr/bin/tini-static";
const COMMAND = [
  "--workers",
  "3",
  "--backoff-delay",
  "0ms",
  "--max-restarts",
  "1000000",
  "--roll-call-period",
  "1h",
  "--drain-idle",
  "100ms",
  "conformance.mjs",
];
const ENV = ["--env", "APP_PORT=3000"];
/** How long 10,000 orphans may take on a slow, busy machine; on one that keeps up it is ten seconds. */
const ORPHANS_MS = 120_000;

/** Every tenth of a second a hundred processes whose parents end before, or right after, they do. */
const orphaning = (tenths: number): string =>
  `n=0; while [ $n -lt ${tenths} ]; do i=0; while [ $i -lt 100 ]; do ( (exit 3) & ); i=$((i+1)); done; n=$((n+1)); sleep 0.1; done; echo made`;

/** Of all processes of the container. */
const ZOMBIES = 'n=0; for f in /proc/[0-9]*/status; do grep -q "^State:.Z" $f 2>/dev/null && n=$((n+1)); done; echo $n';

const view = async (container: Container): Promise<OrphansView & { readonly pid: number }> => {
  const { orphans, pid } = (await container.status()) as unknown as { orphans: OrphansView; pid: number };
  return { ...orphans, pid };
};
const metric = async (container: Container, name: string): Promise<number> => {
  const line = (await (await container.get(9464, "/metrics")).text()).split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
};
const zombies = async (container: Container): Promise<number> => Number(await container.exec("sh", "-c", ZOMBIES));

interface Watched {
  readonly said: string;
  readonly most: number;
  readonly spans: readonly { readonly first: number; readonly last: number }[];
}

/** When the scans that reaped somebody were over. */
const scansIn = (logs: string): readonly number[] =>
  logs
    .split("\n")
    .filter((line) => /"msg":"reaped \d+ orphans"/.test(line))
    .map((line) => Date.parse((JSON.parse(line) as { time: string }).time));

describe("process 1 of a container", { skip }, () => {
  const base = useImage();
  const images = { with: `${uniqueName()}:with`, without: `${uniqueName()}:without`, tini: `${uniqueName()}:tini` };
  const folder = mkdtempSync(join(tmpdir(), "rollcall-init-"));

  before(
    async () => {
      for (const file of ["apps/conformance.mjs", "programs/orphans.pl", "programs/zombies.mjs"]) {
        copyFileSync(join(ROOT, "test/fixtures", file), join(folder, basename(file)));
        chmodSync(join(folder, basename(file)), 0o644);
      }
      if (existsSync(TINI)) copyFileSync(TINI, join(folder, "tini"));
      const app = `FROM ${base}\nCOPY conformance.mjs orphans.pl zombies.mjs ./\n`;
      const bare = `${app}USER root\nRUN rm -rf /opt/rollcall/node_modules/koffi /opt/rollcall/node_modules/@koromix\n`;
      for (const [tag, dockerfile] of [
        [images.with, app],
        [images.without, `${bare}USER 1000:1000\n`],
        ...(existsSync(TINI) ? [[images.tini, `${bare}COPY tini /sbin/tini\nUSER 1000:1000\n`] as const] : []),
      ] as const) {
        writeFileSync(join(folder, "Dockerfile"), dockerfile);
        await build(tag, folder);
      }
    },
    { timeout: BUILD_MS },
  );
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    for (const image of Object.values(images)) await run("docker", ["image", "rm", "--force", image]);
  });

  it("reaps 1,000 orphans a second of docker exec for 10 s, each within two scans, while workers crash, and sees each exit", async (t) => {
    const container = await startContainer(t, images.with, [...LOCKED, ...ENV], ["--log-level", "debug", ...COMMAND]);
    await container.untilReady();
    assert.deepEqual(await view(container), { reapedBy: "rollcall", init: null, reaped: 0, zombies: 0, pid: 1 });
    const cpuBefore = await metric(container, "process_cpu_seconds_total");
    let isMaking = true;
    const command = ["node", "zombies.mjs", "perl", "orphans.pl", "1000", "10"];
    const making = docker(["exec", container.name, ...command], ORPHANS_MS).finally(() => {
      isMaking = false;
    });
    let crashes = 0;
    const exits = (): Promise<number> => metric(container, 'rollcall_process_exits_total{role="worker",outcome="killed"}');
    while (isMaking) {
      await container.get(3000, "/kill").catch(() => {});
      crashes++;
      await until(`exit ${crashes} is seen`, async () => (await exits()) >= crashes, BOOT_MS);
    }
    const { said, most, spans } = JSON.parse(await making) as Watched;
    const cpu = (await metric(container, "process_cpu_seconds_total")) - cpuBefore;
    t.diagnostic(`${said}, ${crashes} crashes beside them, at most ${most} zombies at once, ${cpu.toFixed(2)} s of CPU in the master`);
    assert.match(said, /^10000 orphans in \d+ ms$/);
    await until("all orphans are counted", async () => (await metric(container, "rollcall_orphans_reaped_total")) >= 10_000, BOOT_MS);
    assert.equal(await zombies(container), 0);
    assert.equal(await metric(container, "rollcall_zombies"), 0);
    assert.equal(await exits(), crashes, "one exit for each crash");
    const scans = scansIn(await container.logs());
    assert.ok(spans.length > 1_000, `${spans.length} zombies were seen`);
    // One scan looks at 500; this machine may have kept the master waiting until there were more.
    const allowed = 2 * Math.ceil((most + 100) / 500);
    const late = spans.filter(({ first, last }) => scans.filter((at) => at > first && at < last).length > allowed);
    assert.deepEqual(late, [], `zombies that outlived ${allowed} scans`);
    await until("all workers are back", async () => (await container.status()).workersReady === 3, BOOT_MS);
    assert.equal((await container.stop()).code, 0, await container.logs());
  });

  it("without koffi and without an init warns once, counts the zombies, and serves", async (t) => {
    const container = await startContainer(t, images.without, [...LOCKED, ...ENV], COMMAND);
    await container.untilReady();
    assert.equal(await container.exec("sh", "-c", orphaning(1)), "made");
    await until("they are counted", async () => (await metric(container, "rollcall_zombies")) === 100, BOOT_MS);
    assert.deepEqual(await view(container), { reapedBy: "nobody", init: null, reaped: 0, zombies: 100, pid: 1 });
    assert.equal((await container.logs()).split("Cannot reap orphans as PID 1: the optional dependency koffi is not installed").length, 2);
    assert.equal((await container.get(3000, "/")).status, 200);
    assert.equal((await container.stop()).code, 0, await container.logs());
  });

  it("without koffi gives way to a tini in the image", {
    skip: !existsSync(TINI) && `needs ${TINI}, of Debian's package tini`,
  }, async (t) => {
    const container = await startContainer(t, images.tini, [...LOCKED, ...ENV], COMMAND);
    await container.untilReady();
    const { reapedBy, init, pid } = await view(container);
    assert.deepEqual([reapedBy, init, pid === 1], ["pid-1", "tini", false]);
    assert.match(await container.exec("cat", "/proc/1/cmdline"), /^\/(usr\/)?sbin\/tini\0--\0/);
    assert.equal(await container.exec("sh", "-c", orphaning(1)), "made");
    await until("no zombie is left", async () => (await zombies(container)) === 0, BOOT_MS);
    assert.equal((await container.stop()).code, 0, await container.logs());
  });

  it("is Docker's under docker run --init, which reaps", async (t) => {
    const container = await startContainer(t, images.with, ["--init", ...LOCKED, ...ENV], COMMAND);
    await container.untilReady();
    const { reapedBy, init } = await view(container);
    assert.deepEqual([reapedBy, init], ["pid-1", "docker-init"]);
    assert.equal(await container.exec("sh", "-c", orphaning(1)), "made");
    await until("no zombie is left", async () => (await zombies(container)) === 0, BOOT_MS);
    assert.equal(await metric(container, "rollcall_orphans_reaped_total"), 0);
    assert.equal((await container.stop()).code, 0, await container.logs());
  });

  it("is another container's in a shared PID namespace, and a subreaper reaps its own there", async (t) => {
    const first = await startContainer(t, images.with, [...LOCKED, ...ENV], COMMAND);
    await first.untilReady();
    const shared = ["--pid", `container:${first.name}`, ...LOCKED, ...ENV];
    const second = await startContainer(t, images.with, shared, COMMAND);
    await second.untilReady();
    const seen = await view(second);
    assert.deepEqual([seen.reapedBy, seen.init, seen.pid === 1], ["pid-1", "node", false]);
    // By its own app: what docker exec leaves behind goes to the namespace's process 1 at once.
    const path = `/run?script=${encodeURIComponent(orphaning(1))}`;
    assert.equal(await (await second.get(3000, path)).text(), "0");
    await until("the first one has reaped them", async () => (await view(first)).reaped >= 100, BOOT_MS);
    assert.equal((await second.stop()).code, 0, await second.logs());
    assert.equal((await first.status()).workersReady, 3, "its own service is not touched");

    const third = await startContainer(t, images.with, shared, ["--subreaper", ...COMMAND]);
    await third.untilReady();
    assert.equal(await (await third.get(3000, path)).text(), "0");
    await until("it has reaped them itself", async () => (await view(third)).reaped >= 100, BOOT_MS);
    assert.equal((await third.stop()).code, 0, await third.logs());
    assert.equal((await first.stop()).code, 0, await first.logs());
  });
});
