// Listening sockets that a service manager has bound and handed over (socket activation). They outlive the master: what waits in them while the service
// restarts is served by the next one. Runs in the master, at start.
import { readlinkSync } from "node:fs";
import { openHandle, type TcpHandle } from "./internals.ts";

export interface ActivatedSocket {
  readonly port: number;
  /** Null: all interfaces. */
  readonly host: string | null;
  readonly handle: TcpHandle;
}

interface Name {
  readonly address?: string;
  readonly port?: number;
}

/** @returns the socket, or why it cannot be served */
export function openActivated(fd: number): ActivatedSocket | string {
  // A number that was not handed over may be one of Node's own descriptors.
  if (!isSocket(fd)) return "no socket";
  let handle: TcpHandle & { getpeername?(out: object): number };
  try {
    handle = openHandle(fd);
  } catch (error) {
    return `no stream socket (${(error as Error).message})`;
  }
  const name: Name = {};
  const errno = handle.getsockname?.(name) ?? -1;
  if (errno !== 0 || name.address === undefined || name.port === undefined) {
    handle.close();
    return "no TCP socket";
  }
  if (handle.getpeername?.({}) === 0) {
    handle.close();
    return "a connection and no listening socket (Accept=no is needed)";
  }
  const isAny = name.address === "::" || name.address === "0.0.0.0";
  return { port: name.port, host: isAny ? null : name.address, handle };
}

/** Where `/proc` is hidden, whoever handed it over is believed. */
function isSocket(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}
