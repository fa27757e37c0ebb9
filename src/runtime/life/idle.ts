// Tells the master of a process that is not ready and has nothing left to do: plain `node` would end there, and here only the channel keeps it alive.
// Whether that is so, Node itself says, by beforeExit while the channel does not count for a moment; the app does not hear of it. Runs in a child.
import type { Channel } from "../border/channel.ts";
import { intercept } from "../border/intercept.ts";
import type { Drain } from "./drain.ts";
import type { Readiness } from "./readiness.ts";

const LOOK_EVERY_MS = 1_000;
/** Whose event loop goes on for so long has something to do. */
const LOOK_MS = 10;
/** In a row: what is on its way through the master, as a listen() may be, comes between two of them. */
const LOOKS = 3;

interface Parts {
  readonly channel: Channel;
  readonly drain: Drain;
  readonly readiness: Readiness;
  /** Whether the app listens to messages of any kind. */
  readonly hasListeners: () => boolean;
}

export function tellWhenIdle({ channel, drain, readiness, hasListeners }: Parts): void {
  let isLooking = false;
  let found = 0;
  const endLook = (isIdle: boolean): void => {
    if (!isLooking) return;
    isLooking = false;
    channel.keepAlive(true);
    found = isIdle ? found + 1 : 0;
    if (found < LOOKS) return;
    clearInterval(timer);
    channel.send({ type: "idle" });
  };
  const timer = setInterval(() => {
    if (readiness.announced || drain.begun) return clearInterval(timer);
    // Who listens to what others say waits for them.
    if (hasListeners()) return;
    isLooking = true;
    channel.keepAlive(false);
    setTimeout(() => endLook(false), LOOK_MS).unref();
  }, LOOK_EVERY_MS).unref();
  intercept((event) => {
    if (event !== "beforeExit" || !isLooking || channel.isLetGo) return false;
    endLook(true);
    return true;
  });
}
