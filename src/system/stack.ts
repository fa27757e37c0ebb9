// The JavaScript stack of a process whose event loop hangs: SIGUSR1 opens Node's inspector from a thread of its own, even in an endless loop, and the
// debugger's pause tells where it is. Runs in the master. Its one rule: only for who is about to be killed, and it stays paused until it is.
import { readdir, readlink } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { readTextOrNull } from "./procfs.ts";
import { walkTcpTables } from "./tcp-tables.ts";

const [namesIn, targetOf] = [promisify(readdir), promisify(readlink)];

export interface Frame {
  /** Empty for code outside any function. */
  readonly name: string;
  /** file:///app/server.js, or node:internal/timers; empty for code that has none. */
  readonly url: string;
  readonly line: number;
  readonly column: number;
}

export interface Stack {
  /** The innermost first. */
  readonly frames: readonly Frame[];
  /** Lets go of the debugger; the process runs on if it was not killed before. */
  readonly release: () => void;
}

const POLL_MS = 20;
const SIGUSR1_BIT = 9n;
/** 127.0.0.1 as /proc/net/tcp writes it, on machines of either byte order. */
const LOOPBACK = ["0100007F", "7F000001"];
const LISTEN = "0A";
/** Some 7,000 listeners. */
const TABLE_BYTES = 1024 * 1024;

/**
 * Null where there is none to be had by the deadline: the process computes in native code (where no JavaScript can be interrupted), it listens to
 * SIGUSR1 itself, its inspector is switched off or was open already, or this is not Linux.
 */
export async function stackOf(pid: number, deadlineMs: number): Promise<Stack | null> {
  // Without a handler the signal would end it.
  if (process.platform !== "linux" || !catchesSigusr1(pid)) return null;
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    const before = new Set((await loopbackListeners(pid)).map(({ inode }) => inode));
    process.kill(pid, "SIGUSR1");
    const port = await inspectorPort(pid, before, deadline);
    return await pause(port, deadline);
  } catch {
    return null;
  }
}

function catchesSigusr1(pid: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readTextOrNull(`/proc/${pid}/status`) ?? "")?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> SIGUSR1_BIT) & 1n) === 1n;
}

async function inspectorPort(pid: number, before: ReadonlySet<string>, deadline: AbortSignal): Promise<number> {
  for (;;) {
    for (const { inode, port } of await loopbackListeners(pid)) {
      if (!before.has(inode) && (await holds(pid, inode))) return port;
    }
    await sleep(POLL_MS, undefined, { signal: deadline });
  }
}

interface Listener {
  readonly inode: string;
  readonly port: number;
}

/** Listening sockets come first in the table: the connections of a busy service need not be read. */
async function loopbackListeners(pid: number): Promise<readonly Listener[]> {
  const found: Listener[] = [];
  await walkTcpTables(`/proc/${pid}/net`, TABLE_BYTES, (row) => {
    // sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
    const [, local = "", , state, , , , , , inode] = row.trim().split(/\s+/);
    const [address = "", port = ""] = local.split(":");
    if (state !== LISTEN) return false;
    if (inode !== undefined && LOOPBACK.includes(address)) found.push({ inode, port: Number.parseInt(port, 16) });
    return true;
  });
  return found;
}

async function holds(pid: number, inode: string): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const name of (await namesIn(folder)).reverse()) {
    if ((await targetOf(`${folder}/${name}`).catch(() => "")) === `socket:[${inode}]`) return true;
  }
  return false;
}

/** Node's own fetch and WebSocket would go by a proxy of the environment. Loaded when something hangs, and not before. */
async function pause(port: number, deadline: AbortSignal): Promise<Stack> {
  const { Agent, request, WebSocket } = await import("undici");
  const dispatcher = new Agent();
  const release = (): void => void dispatcher.destroy().catch(() => {});
  try {
    const { body } = await request(`http://127.0.0.1:${port}/json/list`, { dispatcher, signal: deadline });
    const [target] = (await body.json()) as readonly { readonly webSocketDebuggerUrl: string }[];
    if (target === undefined) throw new Error("expected one target of the inspector; got none");
    // Whoever answers there need not be the inspector.
    const socket = new WebSocket(`ws://127.0.0.1:${port}${new URL(target.webSocketDebuggerUrl).pathname}`, { dispatcher });
    const frames = await new Promise<readonly Frame[]>((resolve, reject) => {
      deadline.addEventListener("abort", () => reject(deadline.reason as Error), { once: true });
      socket.addEventListener("error", () => reject(new Error("the inspector's connection failed")));
      socket.addEventListener("open", () => {
        for (const [id, method] of ["Debugger.enable", "Debugger.pause"].entries()) socket.send(JSON.stringify({ id, method }));
      });
      const urls = new Map<string, string>();
      socket.addEventListener("message", ({ data }) => {
        try {
          const { method, params } = JSON.parse(data as string) as InspectorMessage;
          if (method === "Debugger.scriptParsed") urls.set(params.scriptId, params.url);
          if (method === "Debugger.paused") resolve(params.callFrames.map((frame) => frameOf(frame, urls)));
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    return {
      frames,
      release() {
        socket.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

type InspectorMessage =
  | { readonly method: "Debugger.scriptParsed"; readonly params: { readonly scriptId: string; readonly url: string } }
  | { readonly method: "Debugger.paused"; readonly params: { readonly callFrames: readonly CallFrame[] } };

interface CallFrame {
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
}

function frameOf({ functionName, location }: CallFrame, urls: ReadonlyMap<string, string>): Frame {
  const { scriptId, lineNumber, columnNumber = 0 } = location;
  return { name: functionName, url: urls.get(scriptId) ?? "", line: lineNumber + 1, column: columnNumber + 1 };
}
