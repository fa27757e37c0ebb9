// What a service manager hands over in the environment: read once, checked, and gone for those who come after.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { takeManager } from "../../../src/system/service-manager.ts";

const NOTHING = { notifySocket: null, watchdogMs: null, sockets: [], remarks: [] };

describe("the service manager's environment", () => {
  it("is nothing where there is none", () => {
    assert.deepEqual(takeManager({ PATH: "/bin" }, 7), NOTHING);
  });

  it("has a socket, a watchdog and descriptors with names, and is taken away", () => {
    const env = {
      PATH: "/bin",
      NOTIFY_SOCKET: "/run/systemd/notify",
      WATCHDOG_USEC: "30000000",
      WATCHDOG_PID: "7",
      LISTEN_FDS: "3",
      LISTEN_PID: "7",
      LISTEN_FDNAMES: "http::admin",
    };
    assert.deepEqual(takeManager(env, 7), {
      notifySocket: "/run/systemd/notify",
      watchdogMs: 30_000,
      sockets: [
        { fd: 3, name: "http" },
        { fd: 4, name: null },
        { fd: 5, name: "admin" },
      ],
      remarks: [],
    });
    assert.deepEqual(env, { PATH: "/bin" });
    assert.deepEqual(takeManager(env, 7), NOTHING);
  });

  it("is another's when the pids say so, and a remark where that is the init above", () => {
    assert.deepEqual(takeManager({ WATCHDOG_USEC: "1000", WATCHDOG_PID: "8", LISTEN_FDS: "1", LISTEN_PID: "8" }, 7), NOTHING);
    const { sockets, remarks } = takeManager({ LISTEN_FDS: "1", LISTEN_PID: String(process.ppid) }, 7);
    assert.deepEqual(sockets, []);
    assert.match(remarks.join(), /meant for process \d+, an init before this one \(7\)/);
  });

  it("is named where it is odd, and does no harm", () => {
    const { notifySocket, watchdogMs, sockets, remarks } = takeManager(
      { NOTIFY_SOCKET: "vsock:2:1", WATCHDOG_USEC: "soon", LISTEN_FDS: "-1", LISTEN_PID: "7" },
      7,
    );
    assert.deepEqual([notifySocket, watchdogMs, sockets], [null, null, []]);
    assert.equal(remarks.length, 2);
  });
});
