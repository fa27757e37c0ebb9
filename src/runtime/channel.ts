// The child's end of the IPC channel: sends sealed messages, takes the master's orders, and hides both from the app. Runs in a child.
import { type ChildToMaster, isSealed, type MasterToChild, openFromMaster, seal } from "../messenger/wire.ts";
import { intercept, keepListener } from "./intercept.ts";

export class Channel {
  #onDrain: (order: MasterToChild) => void = () => {};

  constructor() {
    intercept((event, [message]) => {
      if (event !== "message" || !isSealed(message)) return false;
      const order = openFromMaster(message);
      if (order !== null) this.#onDrain(order);
      return true;
    });
    // Without a listener Node keeps messages back until one comes; it also keeps an idle agent alive.
    keepListener("message", ignore);
  }

  onDrain(listener: (order: MasterToChild) => void): void {
    this.#onDrain = listener;
  }

  /** The master is gone. */
  onLost(listener: () => void): void {
    process.once("disconnect", listener);
  }

  /** Sends, and never throws: a full or closed channel is the master's trouble, not the app's. */
  send(message: ChildToMaster, done: () => void = ignore): void {
    if (!process.connected || process.send === undefined) return done();
    process.send(seal(message), undefined, undefined, () => done());
  }

  /** Lets the process end by itself when nothing else keeps it. */
  unref(): void {
    process.channel?.unref();
  }
}

function ignore(): void {}
