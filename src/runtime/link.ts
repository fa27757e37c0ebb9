// Where the preload leaves what `rollcall/app` needs. Both may be loaded from different copies of this package, so they meet at a global symbol.
// Runs in a child, and, as the stand-in for a plain `node app.js`, in the app's own process.
import type { Assignment } from "../messenger/wire.ts";
import type { Role } from "../policy/life.ts";
import type { Channel } from "./border/channel.ts";
import type { Hooks, ShutdownHook } from "./life/hooks.ts";
import type { Readiness } from "./life/readiness.ts";
import type { Messenger } from "./messages/messenger.ts";

export interface Link {
  readonly role: Role;
  readonly slot: number;
  readonly generation: number;
  readonly signal: AbortSignal;
  /** The app has loaded `rollcall/app`: from here on it hears what the master says. */
  takeMessenger(): Messenger;
  ready(): void;
  /** `reason` is null where the thing is well. */
  setHealth(name: string, reason: string | null): void;
  onShutdown(hook: ShutdownHook): () => void;
  /** Ends as an uncaught exception would: before ready at once, later when what is in hand is finished. */
  fail(error: unknown): void;
}

const KEY: unique symbol = Symbol.for("rollcall.link/1") as never;
type Holder = { [KEY]?: Link };

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly hooks: Hooks;
  readonly readiness: Readiness;
  readonly messenger: Messenger;
  readonly fail: (error: unknown) => void;
}

export function publishLink({ assignment, channel, hooks, readiness, messenger, fail }: Parts): void {
  putLink({
    role: assignment.role,
    slot: assignment.slot,
    generation: assignment.generation,
    signal: hooks.signal,
    takeMessenger: () => messenger.hearMaster(),
    ready: () => readiness.say(),
    setHealth: (name, reason) => channel.send({ type: "health", name, reason }),
    onShutdown: (hook) => hooks.add(hook),
    fail,
  });
}

export function putLink(link: Link): Link {
  (globalThis as Holder)[KEY] = link;
  return link;
}

export function findLink(): Link | undefined {
  return (globalThis as Holder)[KEY];
}
