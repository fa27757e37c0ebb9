// Who gets a letter. Pure; the rules are egg's: a receiver's pid counts more than a destination, and without either it is the counterpart.
import type { Destination, Endpoint, Envelope } from "./frame.ts";
import { RELOAD_ACTION } from "./letter.ts";

/** A child that can be reached. */
export interface Seat {
  readonly role: "agent" | "worker";
  readonly pid: number;
  /** Serves: one that boots or drains gets what is for everybody, but is nobody's pick. */
  readonly isReady: boolean;
}

export interface Directory<Child extends Seat> {
  readonly masterPid: number;
  readonly children: Iterable<Child>;
}

export interface Receivers<Child extends Seat> {
  readonly to: Endpoint;
  /** Empty for the parent and the master. */
  readonly children: readonly Child[];
}

interface Address {
  readonly from: Endpoint;
  readonly to: Destination;
  readonly receiver: number;
}

/**
 * @param sender the child that the letter came from
 * @param random in [0, 1)
 */
export function route<Child extends Seat>(
  { from, to, receiver }: Address,
  sender: Child | null,
  { masterPid, children }: Directory<Child>,
  random: number,
): readonly Receivers<Child>[] {
  const all = [...children];
  if (receiver !== 0) {
    const found = all.filter(({ pid }) => pid === receiver);
    // An agent in a thread has the master's pid, and most to say to: the master itself is reached as "master".
    if (found.length === 0 && receiver === masterPid) return [{ to: "master", children: [] }];
    return [{ to: found[0]?.role === "agent" ? "agent" : "app", children: found }];
  }
  const agents = all.filter(({ role }) => role === "agent");
  // While one agent takes over from another, the one that serves.
  const serving = agents.filter(({ isReady }) => isReady);
  const agent: Receivers<Child> = { to: "agent", children: serving.length > 0 ? serving : agents };
  const workers = all.filter(({ role }) => role === "worker");
  switch (to) {
    case "usual":
      // The children may be an iterator, which has been read by now.
      return route({ from, to: usual(from), receiver }, sender, { masterPid, children: all }, random);
    case "parent":
    case "master":
      return [{ to, children: [] }];
    case "agent":
      return [agent];
    case "app":
      return [{ to: "app", children: workers }];
    case "any-app": {
      const ready = workers.filter(({ isReady }) => isReady);
      return [{ to: "app", children: ready.slice(Math.floor(random * ready.length)).slice(0, 1) }];
    }
    case "everybody":
      return agent.children.length === 0 ? [{ to: "app", children: workers }] : [agent, { to: "app", children: workers }];
    case "siblings":
      return [{ to: "app", children: workers.filter((worker) => worker !== sender) }];
  }
}

function usual(from: Endpoint): Endpoint {
  switch (from) {
    case "agent":
      return "app";
    case "app":
      return "agent";
    case "parent":
      return "master";
    case "master":
      return "app";
  }
}

/** The one thing that the master understands is the master's where its pid is given; an agent in a thread has the same. */
export function forMaster(envelope: Envelope, masterPid: number): Envelope {
  return envelope.receiver === masterPid && envelope.action === RELOAD_ACTION ? { ...envelope, to: "master", receiver: 0 } : envelope;
}
