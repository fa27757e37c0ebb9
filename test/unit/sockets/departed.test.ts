// Which clients have gone, told by the kernel for connections that nobody reads from. Real sockets.
import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { lookForDeparted } from "../../../src/sockets/departed.ts";
import { acceptFrom, bindHandle, type ConnectionHandle } from "../../../src/sockets/internals.ts";
import { until } from "../../helpers/until.ts";

for (const host of ["127.0.0.1", "::1"]) {
  test(`tells who has left, and who has reset, from who waits (${host})`, {
    skip: process.platform !== "linux" && "needs /proc",
  }, async (t) => {
    const listener = bindHandle(host, 0);
    if (typeof listener === "number") return t.skip("no such address here");
    const handles: ConnectionHandle[] = [];
    assert.equal(
      acceptFrom(listener, (handle) => void handles.push(handle)),
      0,
    );
    const name: Partial<AddressInfo> = {};
    listener.getsockname(name);
    t.after(() => {
      for (const handle of [listener, ...handles]) handle.close();
    });
    const connect = async (): Promise<Socket> => {
      const before = handles.length;
      const socket = net.connect(name.port ?? 0, host);
      t.after(() => socket.destroy());
      await once(socket, "connect");
      await until("it is accepted", () => handles.length > before);
      return socket;
    };
    const [waits, leaves, resets, asksAndLeaves] = [await connect(), await connect(), await connect(), await connect()];
    waits.write("hello");
    asksAndLeaves.write("hello");
    leaves.destroy();
    resets.resetAndDestroy();
    asksAndLeaves.end();
    await until("three have gone", async () => {
      const isGone = await lookForDeparted();
      return handles.map(isGone).join() === "false,true,true,true";
    });
  });
}
