// A child as the post knows it: whose pipe it is, and what waits for it. In the master.
import type { Duplex } from "node:stream";
import type { Endpoint } from "../../messenger/frame.ts";
import type { Outbox } from "../../messenger/outbox.ts";
import type { Seat } from "../../messenger/router.ts";
import type { Role } from "../../policy/life.ts";
import type { Place } from "../../process/launch.ts";

export interface PostSeat extends Seat {
  isReady: boolean;
  readonly life: number;
  readonly who: string;
  readonly socket: Duplex;
  readonly outbox: Outbox;
}

/** What a child of this role is called in letters: the workers are the app. */
export function endpointOf(role: Role): Endpoint {
  return role === "agent" ? "agent" : "app";
}

export function nameOf({ role, slot }: Place): string {
  return role === "agent" ? "agent" : `worker ${slot}`;
}
