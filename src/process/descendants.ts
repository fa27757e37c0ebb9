// What the children have started themselves, and what becomes of it: when a child ends, however, its descendants are asked to end, and a while later
// made to. They are known by a mark in their environment and by who was whose child. Never the processes of others. Runs in the master.
import { setTimeout as sleep } from "node:timers/promises";
import { findKin, findKinNow, type Kin, LIFE_MARK, signalProcess } from "../system/kin.ts";
import { isSameProcess, type ProcessIdentity, readStat, readTree, type Tree } from "../system/procfs.ts";
import type { Place } from "./launch.ts";

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 2_000;
/** After SIGKILL: the kernel may be unable to end a process, and nobody waits for that for ever. */
const GIVE_UP_MS = 2_000;
const LOOK_AGAIN_MS = 50;
/** At the end of the service, what was killed has this long to be gone. */
const LAST_LOOK_MS = 500;
/** The stop of many children at once looks at /proc once. */
const TREE_MS = 100;

/** What became of the descendants of one life. */
export interface Ended {
  readonly place: Place;
  readonly processes: number;
  /** Those that did not end by SIGTERM. */
  readonly killed: number;
  /** Those that did not end at all. */
  readonly left: number;
}

/** A life that has ended; what it started may still run. */
interface Family {
  readonly place: Place;
  /** Found by parentage while the child lived: these may have no mark. */
  readonly noted: readonly ProcessIdentity[];
  readonly asked: Set<string>;
  readonly killed: Set<string>;
  killAt: number;
}

export class Descendants {
  readonly #service: string = `${process.pid}-${process.hrtime.bigint()}-${Math.random().toString(36).slice(2)}`;
  readonly #keepsDaemons: boolean;
  readonly #onEnded: (ended: Ended) => void;
  readonly #session: number = readStat(process.pid)?.session ?? 0;
  readonly #noted: Map<number, readonly ProcessIdentity[]> = new Map();
  readonly #families: Map<string, Family> = new Map();
  #tree: { readonly descendantsOf: Tree; readonly at: number } | null = null;
  #sweeping: Promise<void> | null = null;

  constructor(keepsDaemons: boolean, onEnded: (ended: Ended) => void) {
    this.#keepsDaemons = keepsDaemons;
    this.#onEnded = onEnded;
  }

  /** For the environment of a child. */
  markOf(life: number): string {
    return `${this.#service}:${life}`;
  }

  /** Remembers whose parent a living child is: when it has gone, only the mark tells, and a process can have wiped that. */
  note(life: number, pid: number): readonly ProcessIdentity[] {
    const now = performance.now();
    if (this.#tree === null || now - this.#tree.at > TREE_MS) this.#tree = { descendantsOf: readTree(), at: now };
    const found = this.#tree.descendantsOf(pid).filter(({ pid: each }) => !this.#isSpared(readStat(each)?.session ?? 0));
    this.#noted.set(life, found);
    return found;
  }

  /** The same for a child that is no process: by the mark alone, which costs a look at every process. */
  noteMarked(life: number): readonly ProcessIdentity[] {
    const found = findKinNow(LIFE_MARK, (mark) => mark === this.markOf(life)).filter(({ session }) => !this.#isSpared(session));
    this.#noted.set(life, found);
    return found;
  }

  /** A child has ended; of one that had to be killed, nothing is asked any more. */
  orphaned(life: number, place: Place, isKilled: boolean): void {
    const noted = this.#noted.get(life) ?? [];
    this.#noted.delete(life);
    const killAt = performance.now() + (isKilled ? 0 : GRACE_MS);
    this.#families.set(this.markOf(life), { place, noted, asked: new Set(), killed: new Set(), killAt });
    this.#sweeping ??= this.#sweep().finally(() => (this.#sweeping = null));
  }

  /** Resolves when no descendant of an ended child is left; those that take longer than this are killed. */
  async settled(graceMs: number): Promise<void> {
    const latest = performance.now() + Math.min(graceMs, GRACE_MS);
    for (const family of this.#families.values()) family.killAt = Math.min(family.killAt, latest);
    await Promise.race([this.#sweeping, sleep(graceMs + LAST_LOOK_MS, undefined, { ref: false })]);
  }

  /** The last resort, synchronous. @param hasChildren whether any child lives */
  killAllNow(hasChildren: boolean): void {
    if (!hasChildren && this.#families.size === 0) return;
    const noted = [...this.#families.values()].flatMap((family) => family.noted);
    for (const each of [...noted, ...findKinNow(LIFE_MARK, (mark) => mark.startsWith(`${this.#service}:`))])
      if (!this.#isSpared(readStat(each.pid)?.session ?? 0)) signalProcess(each, "SIGKILL");
  }

  /** One sweep after the other, for all families at once, until every one is gone. */
  async #sweep(): Promise<void> {
    while (this.#families.size > 0) {
      // Those that come meanwhile are looked for in the next sweep.
      const wanted = [...this.#families];
      const kin = await findKin(LIFE_MARK, (mark) => this.#families.has(mark));
      for (const [mark, family] of wanted) this.#look(mark, family, this.#alive(mark, family, kin));
      if (this.#families.size > 0) await sleep(LOOK_AGAIN_MS);
    }
  }

  #alive(mark: string, { noted }: Family, kin: readonly Kin[]): readonly ProcessIdentity[] {
    const marked = kin.filter((each) => each.mark === mark && !this.#isSpared(each.session));
    const others = noted.filter(({ pid, startTime }) => !marked.some((each) => each.pid === pid) && isSameProcess(pid, startTime));
    return [...marked, ...others];
  }

  #look(mark: string, family: Family, alive: readonly ProcessIdentity[]): void {
    const now = performance.now();
    if (alive.length === 0 || now >= family.killAt + GIVE_UP_MS) {
      this.#families.delete(mark);
      const { place, asked, killed } = family;
      if (asked.size > 0) this.#onEnded({ place, processes: asked.size, killed: killed.size, left: alive.length });
      return;
    }
    for (const each of alive) {
      const key = `${each.pid}@${each.startTime}`;
      const isDue = now >= family.killAt;
      if (isDue) family.killed.add(key);
      else if (family.asked.has(key)) continue;
      family.asked.add(key);
      signalProcess(each, isDue ? "SIGKILL" : "SIGTERM");
    }
  }

  /** What the app has daemonised on purpose. */
  #isSpared(session: number): boolean {
    return this.#keepsDaemons && session !== this.#session;
  }
}
