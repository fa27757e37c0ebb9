// Which failed request is whose fault. A request may fail on a connection that a victim had accepted, as the kernel told when the victim stood still;
// on nothing else, but for the two cases below. No time is forgiven: a connection is known by its address, its port, and when it was opened.
import { execFileSync } from "node:child_process";

/** A request that got no whole answer. Moments are performance.now() of the one process that all of this runs in. */
export interface Loss {
  readonly client: string;
  /** The client's own address and port; null: it never came to connect. */
  readonly peer: string | null;
  readonly openedAt: number;
  /** The request before it on the same connection began then; null: it was the connection's first. */
  readonly previousAt: number | null;
  readonly sentAt: number;
  readonly lostAt: number;
  readonly why: string;
}

interface Estate {
  readonly at: number;
  readonly owned: ReadonlySet<string>;
}

interface Window {
  readonly from: number;
  readonly to: number;
}

export class Ledger {
  readonly #idleMs: number;
  readonly #estates: Estate[] = [];
  readonly #windows: Window[] = [];

  /** @param idleMs how long a draining worker lets a connection be idle before it closes it */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** A process that stands still now is to die: what it has accepted goes with it. */
  noteVictim(owned: ReadonlySet<string>, at: number = performance.now()): void {
    this.#estates.push({ at, owned });
  }

  /** In this time a worker had no descriptors left: Node resets what it accepts then. */
  noteExhaustion(from: number, to: number): void {
    this.#windows.push({ from, to });
  }

  /** Why the loss is nobody's broken promise; null when it is one. */
  explain(loss: Loss): string | null {
    const { peer, openedAt, previousAt, sentAt, lostAt } = loss;
    if (peer !== null && this.#estates.some(({ at, owned }) => openedAt <= at && at <= lostAt && owned.has(peer)))
      return "a victim had accepted its connection";
    // The client was not on a CPU for so long that the idle allowance of a drain was over before it sent its next request.
    if (previousAt !== null && sentAt - previousAt >= this.#idleMs) return "the client was late";
    if (previousAt === null && this.#windows.some(({ from, to }) => sentAt <= to && lostAt >= from))
      return "a worker had no descriptors for it";
    return null;
  }
}

/** The clients' addresses and ports of the connections of a listening port that a process has accepted. Ask when it stands still. */
export function acceptedBy(pid: number, port: number): ReadonlySet<string> {
  const text = execFileSync("ss", ["-tnpH", "state", "established", `( sport = :${port} )`], { encoding: "utf8", maxBuffer: 1 << 26 });
  const owned = text.split("\n").filter((line) => line.includes(`pid=${pid},`));
  return new Set(
    owned.map((line) => {
      const [, address, peerPort] = /([\d.]+)\]?:(\d+)\s+users:/.exec(line) ?? [];
      return `${address}:${peerPort}`;
    }),
  );
}
