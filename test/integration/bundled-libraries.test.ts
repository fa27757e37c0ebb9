// The libraries as the package has them: built by scripts/libraries.ts into a folder where no package can be found, they do what the master wants of
// them, and load nothing of what was left out.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { stop } from "esbuild-wasm";
import { bundleLibraries } from "../../scripts/libraries.ts";

const run = promisify(execFile);

/** Prints what each step answers, and what of Node it has loaded. */
const USES = `
import { createLightship } from "./lightship.js";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "./prom-client.js";
const answers = {};
const probes = await createLightship({ detectKubernetes: false, port: 0, signals: [], terminate() {}, shutdownDelay: 0,
  gracefulShutdownTimeout: Infinity, shutdownHandlerTimeout: Infinity });
probes.registerShutdownHandler(() => new Promise(() => {}));
const ask = async (path, method = "GET") => {
  const { request } = process.getBuiltinModule("node:http");
  const options = { port: probes.server.address().port, host: "127.0.0.1", path, method, agent: false };
  return new Promise((resolve) => request(options, (response) => resolve(response.statusCode) || response.resume()).end());
};
answers.booting = [await ask("/live"), await ask("/ready"), await ask("/health")];
probes.signalReady();
answers.ready = [await ask("/live"), await ask("/ready"), await ask("/health", "HEAD")];
answers.strange = [await ask("/none"), await ask("/live", "POST"), await ask("/%ff")];
void probes.shutdown();
answers.failed = [await ask("/live")];
probes.server.close();
const registers = [new Registry()];
collectDefaultMetrics({ register: registers[0] });
new Counter({ name: "a_total", help: "a", labelNames: ["b"], registers }).inc({ b: 'c"' }, 2);
new Gauge({ name: "d", help: "d", registers }).set(3);
new Histogram({ name: "e", help: "e", buckets: [1], registers }).observe(0.5);
answers.metrics = await registers[0].metrics();
answers.loaded = process.moduleLoadList.filter((name) => name.startsWith("NativeModule ")).map((name) => name.slice(13));
console.log(JSON.stringify(answers));
process.exit();
`;

interface Answers {
  readonly booting: readonly number[];
  readonly ready: readonly number[];
  readonly strange: readonly number[];
  readonly failed: readonly number[];
  readonly metrics: string;
  readonly loaded: readonly string[];
}

describe("the bundled libraries", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-libraries-"));
  let answers: Answers;

  before(async () => {
    await bundleLibraries(folder);
    await stop();
    writeFileSync(join(folder, "package.json"), `{ "type": "module" }`);
    writeFileSync(join(folder, "uses.js"), USES);
    const { stdout } = await run(process.execPath, [join(folder, "uses.js")], { timeout: 60_000 });
    answers = JSON.parse(stdout) as Answers;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("answer probes as lightship does", () => {
    const { booting, ready, strange, failed } = answers;
    assert.deepEqual({ booting, ready, failed }, { booting: [200, 500, 500], ready: [200, 200, 200], failed: [500] });
    assert.deepEqual(strange, [404, 404, 400]);
  });

  it("render metrics as prom-client does", () => {
    for (const line of ['a_total{b="c\\""} 2', "d 3", 'e_bucket{le="1"} 1', "process_resident_memory_bytes "])
      assert.ok(answers.metrics.includes(line), `${line} is not in ${answers.metrics}`);
  });

  it("load nothing of TLS, HTTP/2 and compression", () => {
    const heavy = answers.loaded.filter((name) => /^(tls|https|http2|crypto|zlib|internal\/deps\/undici\/.*)$/.test(name));
    assert.deepEqual(heavy, []);
  });

  it("come with their licenses", () => {
    const text = readFileSync(join(folder, "LICENSES.txt"), "utf8");
    for (const name of ["lightship", "fastify", "prom-client", "@opentelemetry/api"])
      assert.match(text, new RegExp(`^${name} \\d.*\\n\\n.*(?:licen[cs]e|copyright)`, "im"));
    assert.doesNotMatch(text, /undefined/);
  });
});
