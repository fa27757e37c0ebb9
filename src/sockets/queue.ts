// What waits for one worker, and what is on its way to it. Runs in the master.
import type { Connection } from "./incoming.ts";

export interface OnItsWay {
  readonly connection: Connection;
  readonly isAlone: boolean;
  readonly cancel: () => void;
}

export interface Queue {
  readonly waiting: Connection[];
  readonly onTheirWay: Map<number, OnItsWay>;
  /** It has let one expire and not answered since, or had no descriptor a moment ago. */
  isStalled: boolean;
}

export function newQueue(): Queue {
  return { waiting: [], onTheirWay: new Map(), isStalled: false };
}

export function takeOut(queue: Queue, id: number): Connection | null {
  const onItsWay = queue.onTheirWay.get(id);
  if (onItsWay === undefined) return null;
  queue.onTheirWay.delete(id);
  onItsWay.cancel();
  return onItsWay.connection;
}
