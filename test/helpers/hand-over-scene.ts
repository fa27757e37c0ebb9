// Hand-overs without a service: workers, handles and timers are the test's.
import { setImmediate as turn } from "node:timers/promises";
import type { Candidate, Choice } from "../../src/sockets/choice.ts";
import { type HandOver, HandOvers } from "../../src/sockets/hand-overs.ts";
import { Room } from "../../src/sockets/room.ts";

/** The clock of this machine does not come near it. */
const PATIENCE_MS = 1_000_000;
export const PORT = 3_000;

export interface Handle {
  readonly client: string;
  closed: boolean;
  /** Its client has gone. */
  isGone: boolean;
  readonly fd: number;
  getpeername(): number;
  readStop(): number;
  close(): void;
}

export interface HandOverScene {
  readonly handOvers: HandOvers;
  readonly room: Room;
  /** What each life was sent, in order. */
  sentTo(life: number): readonly HandOver[];
  give(client: string, port?: number): Handle;
  /** The channel of a life is closed, or it is there no more. */
  disconnect(life: number): void;
  remove(life: number): void;
  /** The patience with everybody runs out. */
  elapse(): Promise<void>;
  setAlone(isAlone: boolean): void;
  /** The app of a life closes its server, or opens it again. */
  setOpen(life: number, isOpen: boolean): void;
  /** On which port there were too many, each time that it was told. */
  readonly crowded: readonly number[];
}

/** Life n is that of slot n - 1. */
export function setScene(lives: number, choice: Choice, most: number = Number.POSITIVE_INFINITY): HandOverScene {
  let candidates: readonly Candidate[] = Array.from({ length: lives }, (_, slot) => ({ life: slot + 1, slot }));
  const sent: { readonly life: number; readonly handOver: HandOver }[] = [];
  const disconnected = new Set<number>();
  const shut = new Set<number>();
  const crowded: number[] = [];
  const timers = new Set<() => void>();
  let isAlone = true;
  const room = new Room(most);
  const handOvers = new HandOvers({
    choice,
    room,
    look: async () => (handle) => (handle as Handle).isGone,
    candidates: () => candidates.filter(({ life }) => !shut.has(life)),
    onFull: ({ port }) => void crowded.push(port),
    send: (life, handOver) => {
      if (disconnected.has(life)) return null;
      sent.push({ life, handOver });
      return { isAlone };
    },
    world: {
      startTimer: (_ms, callback) => {
        timers.add(callback);
        return () => timers.delete(callback);
      },
    },
    patienceMs: PATIENCE_MS,
  });
  return {
    handOvers,
    room,
    crowded,
    sentTo: (life) => sent.filter((each) => each.life === life).map(({ handOver }) => handOver),
    give: (client, port = PORT) => {
      const handle: Handle = {
        ...{ client, closed: false, isGone: false, fd: -1, getpeername: () => 0, readStop: () => 0 },
        close() {
          handle.closed = true;
        },
      };
      handOvers.give({ handle, port, host: null, client, text: "" });
      return handle;
    },
    disconnect: (life) => void disconnected.add(life),
    remove: (life) => {
      candidates = candidates.filter((each) => each.life !== life);
    },
    elapse: async () => {
      for (const callback of [...timers]) if (timers.delete(callback)) callback();
      await turn();
    },
    setAlone: (is) => {
      isAlone = is;
    },
    setOpen: (life, isOpen) => void (isOpen ? shut.delete(life) : shut.add(life)),
  };
}
