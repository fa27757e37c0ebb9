// Whether what internals.ts leans on works on this Node and this machine: two bound sockets on one port, both accepted from by one server.
// Runs in the master, at start.
import net from "node:net";
import { HandleGroup } from "./handle-group.ts";
import { acceptFrom, bindHandle, handIn, type TcpHandle } from "./internals.ts";

/** Only a failure takes so long; a slow machine must not look like one. */
const ARRIVES_WITHIN_MS = 5_000;

/** @returns null, or what does not work with sockets that workers accept from */
export async function selfTest(): Promise<string | null> {
  const server = net.createServer((socket) => socket.end());
  const handles: TcpHandle[] = [];
  try {
    const first = bindHandle("127.0.0.1", 0);
    if (typeof first === "number") return `binding gives ${first}`;
    handles.push(first);
    const name: { port?: number } = {};
    first.getsockname(name);
    const second = bindHandle("127.0.0.1", name.port ?? 0);
    if (typeof second === "number") return `binding the same port again gives ${second}`;
    handles.push(second);
    const group = new HandleGroup();
    for (const [queue, handle] of handles.entries()) group.add(queue, handle);
    const options = { port: name.port };
    handIn(options, group);
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(options, resolve));
    if (!group.isOpen) return "listen() does not use the handle that it is given";
    // Only the second one accepts now: what arrives shows that it does.
    group.remove(0);
    await arrive(name.port ?? 0, "no connection arrives by the second handle");
    return null;
  } catch (error) {
    return (error as Error).message;
  } finally {
    for (const handle of handles) handle.close();
    server.close();
  }
}

/** @returns null, or what does not work with connections that the master accepts and a server is given */
export async function handOverTest(): Promise<string | null> {
  const server = net.createServer((socket) => socket.end());
  const handle = bindHandle("127.0.0.1", 0, "alone");
  if (typeof handle === "number") return `binding gives ${handle}`;
  try {
    const name: { port?: number } = {};
    handle.getsockname(name);
    const group = new HandleGroup();
    const options = { port: name.port };
    handIn(options, group);
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(options, resolve));
    if (!group.isOpen) return "listen() does not use the handle that it is given";
    const errno = acceptFrom(handle, (connection) => group.give(connection));
    if (errno !== 0) return `listening gives ${errno}`;
    await arrive(name.port ?? 0, "no connection arrives at a server that is given it");
    return null;
  } catch (error) {
    return (error as Error).message;
  } finally {
    handle.close();
    server.close();
  }
}

function arrive(port: number, problem: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.setTimeout(ARRIVES_WITHIN_MS, () => reject(new Error(problem)));
    socket.once("error", reject).once("end", resolve).resume();
  });
}
