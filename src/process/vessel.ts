// What a child runs in, as the master holds it: a process of its own, or a thread of the master's. Types only; child-process.ts and thread.ts make one.
import type { OpenPipe } from "./post-pipe.ts";

export interface Vessel {
  /** A thread's is the master's; undefined for a process that could not be made. */
  readonly pid: number | undefined;
  /** The thread's id; null for a process. */
  readonly thread: number | null;
  readonly isConnected: boolean;
  /** The pipe for its letters. */
  readonly post: OpenPipe | null;
  /** Whether it can be sent sockets and servers. */
  readonly takesHandles: boolean;
  /** Whether it still takes what it is sent. */
  takes(): boolean;
  /** Whether a handle that was sent is still to be taken. */
  hasHandleInFlight(): boolean;
  send(message: object, handle: unknown, done: () => void): void;
  /** It loses its channel, drains and ends. */
  disconnect(): void;
  /** Ends it if it has not come to its first statement, which no order reaches. */
  endUnborn(): void;
  /** Ends it at once, whatever it does. */
  kill(): void;
}

export interface VesselListener {
  /** @returns whether it was one of Rollcall's */
  onMessage(message: unknown, handle: unknown): boolean;
  /** It wrote what is no message: the channel has been given up. Told once. */
  onBroken(error: Error): void;
  /** A handle did not reach it. */
  onMissed(): void;
  /** There is none after all; its exit follows. */
  onUnstarted(error: Error): void;
  onTrouble(error: Error): void;
  /** It has lost its channel and lives on. */
  onLost(): void;
  /** Something of it is not as it was asked for: for the log. */
  onComplaint(message: string): void;
  /** It has ended; what it said last may still have to be read. */
  onEnd(): void;
  /** It has ended, and everything that it said has been heard. */
  onExit(code: number | null, signal: NodeJS.Signals | null): void;
}
