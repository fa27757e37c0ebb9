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
  readonly #name: object = {};

  constructor(handle: Handle) {
    handle.getsockname?.(this.#name);
  }

  close(callback?: () => void): void {
    if (callback !== undefined) setImmediate(callback);
  }

  getsockname(out: object): number {
    Object.assign(out, this.#name);
    return 0;
  }

  ref(): void {}

  unref(): void {}

  hasRef(): boolean {
    return false;
  }
}
