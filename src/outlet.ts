// Where lines leave the master, its log's and those of a thread: stdout or stderr, never waited for. A reader that has stopped (a paused terminal, a stuck log shipper) costs lines, not the
// service: what cannot be written now is kept for later, up to a bound, on a full disk as well; a reader that is gone is forgotten.
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";

export interface Outlet {
  write(line: string | Buffer): void;
  /** Writes what the reader takes right now. */
  flush(): void;
  /** Resolves when everything is written, or after half a second. */
  end(): Promise<void>;
}

const STDOUT = 1;
/** How much may wait for a slow reader; more is dropped. */
const KEPT_BYTES = 1024 * 1024;
const RETRY_MS = 50;
/** The reader is slow, or the disk that the log is written to is full: both may get better. */
const TRANSIENT: ReadonlySet<string | undefined> = new Set(["EAGAIN", "ENOSPC", "EDQUOT"]);
const END_MS = 500;

interface Target {
  readonly fd: number;
  /** Called before each write: sees to it that the write cannot block. */
  unblock(): void;
}

/** One for each descriptor: lines of two writers do not run into each other. */
const outlets = new Map<number, Outlet>();

export function openOutlet(fd: number = STDOUT): Outlet {
  const outlet = outlets.get(fd) ?? makeOutlet(openTarget(fd));
  outlets.set(fd, outlet);
  return outlet;
}

function makeOutlet(target: Target): Outlet {
  const waiting: Buffer[] = [];
  let size = 0;
  let dropped = 0;
  let isBroken = false;
  let isArmed = false;

  /** Takes bytes that were written off the queue. */
  function written(bytes: number): void {
    size -= bytes;
    const [first] = waiting;
    if (first === undefined) return;
    if (bytes < first.length) waiting[0] = first.subarray(bytes);
    else waiting.shift();
  }

  function failed(error: NodeJS.ErrnoException): void {
    if (TRANSIENT.has(error.code)) return;
    isBroken = true;
    waiting.length = 0;
  }

  function flush(): void {
    target.unblock();
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      try {
        written(writeSync(target.fd, first));
      } catch (error) {
        return failed(error as NodeJS.ErrnoException);
      }
    }
  }

  /** Writes, and goes on by itself until nothing waits. */
  function pump(): void {
    if (isArmed) return;
    flush();
    if (waiting.length === 0) return;
    isArmed = true;
    setTimeout(() => {
      isArmed = false;
      pump();
    }, RETRY_MS).unref();
  }

  function write(line: string | Buffer): void {
    if (isBroken) return;
    if (size > KEPT_BYTES) {
      dropped++;
      return;
    }
    if (dropped > 0)
      push(`{"level":"warn","time":"${new Date().toISOString()}","role":"master","msg":"${dropped} log lines were dropped"}\n`);
    dropped = 0;
    push(line);
    pump();
  }

  function push(line: string | Buffer): void {
    const chunk = typeof line === "string" ? Buffer.from(line) : line;
    size += chunk.length;
    waiting.push(chunk);
  }

  return {
    write,
    flush,
    async end() {
      const endsAt = performance.now() + END_MS;
      for (pump(); waiting.length > 0 && performance.now() < endsAt; pump())
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS / 10));
    },
  };
}

/**
 * A pipe or a terminal is opened once more, without blocking: an open file of the master's own, so that the children's stdout keeps its mode.
 * Where that cannot be (a socket, another user's pipe) the mode is set on what is shared, as any Node does that prints to a pipe; each start of a
 * child sets it back. Files do not block.
 */
function openTarget(fd: number): Target {
  const stat = fstatSync(fd);
  if (!stat.isFIFO() && !stat.isCharacterDevice() && !stat.isSocket()) return { fd, unblock() {} };
  try {
    return { fd: openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY), unblock() {} };
  } catch {
    if (stat.isCharacterDevice()) return { fd, unblock() {} };
    // Kept for as long as the target is: the garbage collector would close stdout with it.
    const socket = new Socket({ fd, readable: false, writable: true }).unref();
    const { _handle } = socket as unknown as { _handle: { setBlocking?(blocking: boolean): void } | null };
    return { fd, unblock: () => void _handle?.setBlocking?.(false) };
  }
}
