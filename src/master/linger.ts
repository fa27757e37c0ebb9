// Closes connections without losing their last words. A socket that is closed while input waits in it resets its peer, and the peer then loses the line
// that says why, though that was sent. So: say that no more comes, read on and throw away until the peer has closed too, or for a while. Runs in the master.
import type { Socket } from "node:net";

export interface LingerLimits {
  /** How long one peer may take to close. */
  readonly ms: number;
  /** How many may take their time at once; with one more, the one that has had most of it is cut off. */
  readonly most: number;
}

export class Lingering {
  readonly #limits: LingerLimits;
  readonly #sockets: Map<Socket, NodeJS.Timeout> = new Map();

  constructor(limits: LingerLimits) {
    this.#limits = limits;
  }

  /** Takes a socket over: its owner says and hears nothing more. */
  close(socket: Socket): void {
    if (socket.destroyed || this.#sockets.has(socket)) return;
    socket.removeAllListeners("data").removeAllListeners("timeout").setTimeout(0);
    const timer = setTimeout(() => socket.destroy(), this.#limits.ms).unref();
    this.#sockets.set(socket, timer);
    socket.once("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
    socket.end();
    // Without a listener what comes is read and dropped. With both ends closed the socket destroys itself.
    socket.resume();
    const [longest] = this.#sockets.keys();
    if (this.#sockets.size > this.#limits.most) longest?.destroy();
  }
}
