// Closing the listener of a server while the server itself still looks open to the app. Runs in a child.
import type { Server } from "node:net";

/** What net.Server asks of a listening handle; cluster's own round-robin handle is as small. */
interface Handle {
  close(callback?: () => void): void;
  getsockname?(out: object): number;
  ref?(): void;
  unref?(): void;
  hasRef?(): boolean;
}

/**
 * Stops accepting and nothing else. Not `server.close()`: http's version destroys idle connections, which includes a client that is just
 * sending, and a server that the app finds closed calls the app's own `close` callback back with an error.
 */
export function closeListener(server: Server): void {
  const holder = server as unknown as { _handle: Handle | null };
  const handle = holder._handle;
  if (handle === null || handle instanceof ClosedHandle) return;
  holder._handle = new ClosedHandle(handle);
  handle.close();
}

/** Stands where the closed handle stood: the app's later close() finds something to close, address() still answers. */
class ClosedHandle implements Handle {
  /** Absent where the closed one had none: a path is not asked of the handle. */
  readonly getsockname?: (out: object) => number;

  constructor(handle: Handle) {
    if (handle.getsockname === undefined) return;
    const name = {};
    handle.getsockname(name);
    this.getsockname = (out) => {
      Object.assign(out, name);
      return 0;
    };
  }

  close(callback?: () => void): void {
    if (callback !== undefined) setImmediate(callback);
  }

  ref(): void {}

  unref(): void {}

  hasRef(): boolean {
    return false;
  }
}
