// ROLLCALL_* and PORT.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readEnvironment, readPort } from "../../../src/config/environment.ts";

function rawOf(env: Record<string, string>): Record<string, unknown> {
  const layer = readEnvironment(env);
  assert.deepEqual(layer.problems, []);
  return Object.fromEntries([...layer.given].map(([key, { raw }]) => [key, raw]));
}

test("reads every option's variable and leaves others alone", () => {
  assert.deepEqual(rawOf({ ROLLCALL_STOP_TIMEOUT: "5s", ROLLCALL_APP: "a.js", HOME: "/root", WORKERS: "9" }), {
    stopTimeoutMs: "5s",
    app: "a.js",
  });
});

test("counts an empty variable as unset", () => {
  assert.deepEqual(rawOf({ ROLLCALL_WORKERS: "", ROLLCALL_NONSENSE: "" }), {});
  assert.equal(readPort({ PORT: "" }).given.size, 0);
  assert.equal(readPort({ PORT: "/run/app.sock" }).given.size, 0);
  assert.equal(readPort({ PORT: "\\\\.\\pipe\\app" }).given.size, 0);
});

test("separates lists by commas, and takes JSON", () => {
  assert.deepEqual(rawOf({ ROLLCALL_PORT: "80, 81," }), { ports: ["80", "81"] });
  assert.deepEqual(rawOf({ ROLLCALL_ENV: "A=1,B=2" }), { env: ["A=1", "B=2"] });
  assert.deepEqual(rawOf({ ROLLCALL_ENV: '{"A":"1,2"}' }), { env: { A: "1,2" } });
  assert.deepEqual(rawOf({ ROLLCALL_NODE_ARG: '["--conditions=a,b"]' }), { nodeArgs: ["--conditions=a,b"] });
  assert.deepEqual(rawOf({ ROLLCALL_NODE_ARG: "[broken" }), { nodeArgs: "[broken" });
});

test("refuses unknown names without showing their values", () => {
  assert.deepEqual(readEnvironment({ ROLLCALL_WORKRES: "secret", ROLLCALL_QQQQQQQQQQ: "secret" }).problems, [
    'ROLLCALL_WORKRES: unknown option; did you mean "ROLLCALL_WORKERS"?',
    "ROLLCALL_QQQQQQQQQQ: unknown option; rollcall --help lists them",
  ]);
});

test("leaves alone what Rollcall itself owns", () => {
  assert.deepEqual(rawOf({ ROLLCALL_CPUS: "2", ROLLCALL_CHILD: "1" }), {});
});

test("takes ROLLCALL_CPUS in plain decimal only, as workers", () => {
  for (const good of ["1", "1.5", ".5"]) assert.deepEqual(rawOf({ ROLLCALL_CPUS: good }), {});
  for (const bad of ["0", "-1", "0x2", "1e3", "Infinity", "two"])
    assert.deepEqual(readEnvironment({ ROLLCALL_CPUS: bad }).problems, [
      `ROLLCALL_CPUS: expected a number of CPUs above 0, such as 2 or 1.5; got "${bad}"`,
    ]);
});

test("ignores what Kubernetes writes for Services called rollcall or rollcall-metrics", () => {
  assert.deepEqual(
    rawOf({
      ROLLCALL_SERVICE_HOST: "10.0.0.1",
      ROLLCALL_SERVICE_PORT: "80",
      ROLLCALL_SERVICE_PORT_HTTP: "80",
      ROLLCALL_PORT: "tcp://10.0.0.1:80",
      ROLLCALL_PORT_80_TCP: "tcp://10.0.0.1:80",
      ROLLCALL_PORT_80_TCP_PROTO: "tcp",
      ROLLCALL_PORT_80_TCP_PORT: "80",
      ROLLCALL_PORT_80_TCP_ADDR: "10.0.0.1",
      ROLLCALL_METRICS_SERVICE_HOST: "10.0.0.2",
      ROLLCALL_METRICS_PORT: "tcp://10.0.0.2:9464",
    }),
    {},
  );
});

test("reads PORT for the port alone", () => {
  assert.deepEqual([...readPort({ PORT: "3000" }).given], [["ports", { raw: "3000", source: "PORT", label: "PORT" }]]);
  assert.equal(readPort({}).given.size, 0);
});
