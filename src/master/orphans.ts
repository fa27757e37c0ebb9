// Orphans: as PID 1, or as a subreaper, the master gets every process whose parent has ended, and nobody else waits for them. Runs in the master.
// Its one rule: nothing here ever affects the service; what cannot be done is said once, and the zombies are counted.
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
import type { Line } from "../log.ts";
import { initAbove, takeInitMark } from "../system/init.ts";
import { type Libc, loadLibc } from "../system/libc.ts";
import { Reaper, type Scan } from "../system/reaper.ts";
import { deadStranger, ownPids, strangersOf, watchOwnChildren } from "../system/strangers.ts";
import type { World } from "../system/world.ts";

/** Like tini's tick. */
const SCAN_MS = 1_000;
/** Between two scans while zombies are about: the event loop reaps our own children meanwhile. */
const BUSY_SCAN_MS = 100;
/** The same, while there are more than one scan looks at. */
const BEHIND_SCAN_MS = 20;
/** Without /proc one zombie is seen at a time. */
const BLIND_SCAN_MS = 1;
/** How many of the reaped a line of the log names. */
const MOST_NAMED = 10;

/** Who reaps what this service's processes leave behind. */
export type ReapedBy =
  /** This master. */
  | "rollcall"
  /** PID 1 of this namespace, whatever it is. */
  | "pid-1"
  /** Nobody: this is PID 1 and lacks the means. */
  | "nobody";

export interface OrphansView {
  readonly reapedBy: ReapedBy;
  /** The program of PID 1, where that is not this one and can be seen. */
  readonly init: string | null;
  readonly reaped: number;
  readonly zombies: number;
}

interface Parts {
  readonly config: Pick<Config, "subreaper" | "agent" | "agentMode">;
  readonly world: World;
  readonly write: (line: Line) => void;
}

export class Orphans {
  readonly #parts: Parts;
  readonly #init: string | null;
  readonly #gaveWayTo: string | null = takeInitMark();
  readonly #adopts: boolean;
  #by: ReapedBy;
  #libc: Libc | null = null;
  #sighted: Reaper | null = null;
  #blind: Reaper | null = null;
  #hasComplained = false;
  #reaped = 0;
  #zombies = 0;

  /**
   * To be made before the first child is forked.
   * @throws ClusterError ERR_CONFIG (exit 2) when it is to be a subreaper and cannot
   */
  constructor(parts: Parts) {
    this.#parts = parts;
    const isFirst = process.pid === 1;
    if (!isFirst && parts.config.subreaper) this.#libc = becomeSubreaper();
    const { subreaper, agent, agentMode } = parts.config;
    const adopts = isFirst || subreaper;
    // What a thread leaves behind when it ends is this process's own, and nobody in it waits for that.
    this.#adopts = process.platform === "linux" && (adopts || (agent !== null && agentMode === "thread"));
    this.#by = adopts && this.#adopts ? "nobody" : "pid-1";
    this.#init = initAbove();
    if (this.#adopts) watchOwnChildren();
  }

  /** Begins to reap. It loads a library, so not before the children are on their way. */
  start(): void {
    const gaveWayTo = this.#gaveWayTo;
    if (gaveWayTo !== null)
      this.#parts.write({
        level: "info",
        message: `${gaveWayTo} has taken the place of PID 1 and reaps orphans: the optional dependency koffi is not installed`,
        fields: { init: gaveWayTo },
      });
    if (!this.#adopts) return;
    this.#libc ??= this.#load();
    if (this.#libc !== null && this.#by === "nobody") this.#by = "rollcall";
    const strangers = (): readonly number[] | null => strangersOf(process.pid, ownPids());
    const reap = (pid: number): number | null => this.#libc?.reap(pid) ?? null;
    this.#sighted = new Reaper({ strangers, zombie: (pid) => deadStranger(pid, process.pid), reap });
    this.#blind = new Reaper({ strangers: () => this.#peek(), zombie: (pid) => ({ pid, startTime: 0 }), reap });
    this.#arm(SCAN_MS);
  }

  get reaped(): number {
    return this.#reaped;
  }

  /** As of the last scan. */
  get zombies(): number {
    return this.#zombies;
  }

  view(): OrphansView {
    return { reapedBy: this.#by, init: this.#init, reaped: this.#reaped, zombies: this.#zombies };
  }

  #load(): Libc | null {
    try {
      return loadLibc();
    } catch (error) {
      this.#complain(
        `Cannot reap ${this.#by === "nobody" ? "orphans as PID 1" : "what the agent's thread leaves behind"}: ${(error as Error).message}; zombies stay until the container ends (rollcall_zombies counts them). ` +
          "Expected koffi, or an init in the image (tini, dumb-init, catatonit), or one that the container is started with (docker run --init)",
      );
      return null;
    }
  }

  #arm(delayMs: number): void {
    this.#parts.world.startTimer(delayMs, () => {
      let nextMs = SCAN_MS;
      try {
        nextMs = this.#scan();
      } catch (error) {
        this.#complain(`Cannot look for orphans: ${(error as Error).message}`);
      }
      this.#arm(nextMs);
    });
  }

  /** @returns when to look again */
  #scan(): number {
    const seen = this.#sighted?.scan();
    if (seen?.isSighted === true) return this.#note(seen, BUSY_SCAN_MS);
    if (this.#libc === null) this.#complain("Cannot count zombies: /proc is hidden or shows other processes");
    const felt = this.#blind?.scan();
    return felt === undefined ? SCAN_MS : this.#note(felt, BLIND_SCAN_MS);
  }

  #note({ reaped, zombies, isPartial, isBehind }: Scan, busyMs: number): number {
    this.#zombies = zombies;
    this.#reaped += reaped.length;
    if (reaped.length > 0) {
      const pids = reaped.slice(0, MOST_NAMED).map(({ pid }) => pid);
      this.#parts.write({ level: "debug", message: `reaped ${reaped.length} orphans`, fields: { count: reaped.length, pids } });
    }
    const isBusy = reaped.length > 0 || zombies > 0 || isPartial;
    if (!isBusy || this.#libc === null) return SCAN_MS;
    return isBehind ? BEHIND_SCAN_MS : busyMs;
  }

  /** Without /proc: the first dead child in the kernel's line, if it is a stranger. */
  #peek(): readonly number[] {
    const pid = this.#libc?.peek() ?? null;
    return pid === null || ownPids().has(pid) ? [] : [pid];
  }

  #complain(message: string): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#parts.write({ level: "warn", fields: {}, message });
  }
}

function becomeSubreaper(): Libc {
  let libc: Libc;
  try {
    libc = loadLibc();
  } catch (error) {
    throw refused(`${(error as Error).message}; install koffi, or leave the option off`, error);
  }
  const errno = libc.becomeSubreaper();
  if (errno !== 0) throw refused(`the kernel refused it with errno ${errno}; leave the option off`);
  return libc;
}

function refused(why: string, cause?: unknown): ClusterError {
  return new ClusterError("ERR_CONFIG", `subreaper: expected that this process can adopt orphans, but ${why}`, { reason: "usage", cause });
}
