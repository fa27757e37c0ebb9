import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { holderOf } from "../../../src/system/port-holder.ts";

describe("port-holder on a made-up /proc", () => {
  let root = "";

  before(() => {
    root = mkdtempSync(join(tmpdir(), "port-holder-"));
    mkdirSync(join(root, "net"));
    writeFileSync(
      join(root, "net/tcp"),
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4001 1 0 100 0 0 10 0\n" +
        "   1: 0100007F:1F91 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 4002 1 0 100 0 0 10 0\n",
    );
    writeFileSync(
      join(root, "net/tcp6"),
      "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
        "   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6001 1 0 100 0 0 10 0\n" +
        "   1: 00000000000000000000000000000000:0BB9 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6002 1 0 100 0 0 10 0\n",
    );
    addProcess(7, { descriptors: ["/dev/null", "socket:[4001]"], executable: "/usr/sbin/nginx (deleted)" });
    addProcess(9, { descriptors: ["socket:[6001]", "pipe:[1]"], comm: "haproxy" });
    mkdirSync(join(root, "5")); // another user's: no fd folder to see
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  function addProcess(pid: number, one: { descriptors: readonly string[]; executable?: string; comm?: string }): void {
    mkdirSync(join(root, String(pid), "fd"), { recursive: true });
    for (const [fd, target] of one.descriptors.entries()) symlinkSync(target, join(root, String(pid), "fd", String(fd)));
    if (one.executable !== undefined) symlinkSync(one.executable, join(root, String(pid), "exe"));
    if (one.comm !== undefined) writeFileSync(join(root, String(pid), "comm"), `${one.comm}\n`);
  }

  it("names an IPv4 listener by its executable, replaced or not", () => {
    assert.deepEqual(holderOf(8080, root), { pid: 7, command: "nginx" });
  });

  it("names an IPv6 listener, by its comm when the executable is hidden", () => {
    assert.deepEqual(holderOf(3000, root), { pid: 9, command: "haproxy" });
  });

  it("finds nobody for a connection that is no listener, a hidden holder, a free port and no /proc at all", () => {
    assert.equal(holderOf(8081, root), null);
    assert.equal(holderOf(3001, root), null);
    assert.equal(holderOf(1, root), null);
    assert.equal(holderOf(8080, join(root, "nowhere")), null);
  });
});

describe("port-holder on this machine", { skip: process.platform !== "linux" }, () => {
  for (const host of ["127.0.0.1", "::1"]) {
    it(`finds this test's own server on ${host}`, async (t) => {
      const server = createServer();
      server.listen(0, host);
      try {
        await once(server, "listening", { signal: AbortSignal.timeout(5_000) });
      } catch (error) {
        t.skip(`cannot listen on ${host}: ${String(error)}`);
        return;
      }
      const { port } = server.address() as AddressInfo;
      assert.deepEqual(holderOf(port), { pid: process.pid, command: "node" });
      server.close();
      await once(server, "close", { signal: AbortSignal.timeout(5_000) });
      assert.equal(holderOf(port), null);
    });
  }
});
