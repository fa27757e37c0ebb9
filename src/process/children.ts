// The children as the master sees them: starts, tells and kills them by the id of their life, and turns what they do into events.
// A child's death, junk on its channel or a full pipe never throws in the master.
import { type Handed, openHanded, sealHanded } from "../messenger/handed.ts";
import { Turnstile } from "../messenger/turnstile.ts";
import { type HandOverOrder, type MasterToChild, openFromChild, seal } from "../messenger/wire.ts";
import type { QueueSocket } from "../sockets/held.ts";
import { type ConnectionHandle, isListener, type TcpHandle } from "../sockets/internals.ts";
import { signalProcess } from "../system/kin.ts";
import { OomWatch } from "../system/oom.ts";
import type { ProcessIdentity } from "../system/procfs.ts";
import { closeHandle } from "./child-channel.ts";
import { isAllowed, type Limits, newLimits } from "./child-limits.ts";
import { startProcess } from "./child-process.ts";
import { Descendants } from "./descendants.ts";
import { handsOver, hear, type Listeners } from "./hearing.ts";
import { isThread, type LaunchPlan, type Place } from "./launch.ts";
import { startThread } from "./thread.ts";
import type { Vessel } from "./vessel.ts";

export class Children {
  readonly #plan: LaunchPlan;
  readonly #listeners: Listeners;
  readonly #vessels: Map<number, Vessel> = new Map();
  readonly #killed: Set<number> = new Set();
  /** Those that have not said a word yet. */
  readonly #silent: Set<number> = new Set();
  readonly #turnstile: Turnstile = new Turnstile();
  readonly #handsOnWay: Map<number, Set<() => void>> = new Map();
  readonly #descendants: Descendants;
  readonly #oom: OomWatch = new OomWatch(() => performance.now());

  constructor(plan: LaunchPlan, listeners: Listeners) {
    this.#plan = plan;
    this.#listeners = listeners;
    this.#descendants = new Descendants(plan.config.keepDescendants, (ended) => listeners.onRemark({ type: "descendants", ...ended }));
  }

  fork(life: number, place: Place, sockets: readonly QueueSocket[]): void {
    let vessel: Vessel;
    try {
      vessel = this.#start(life, place, sockets);
    } catch (error) {
      this.#listeners.onRemark({ type: "unstarted", place, error: error as Error });
      // Later, so that a fork that fails at once is an event like any other.
      setImmediate(() => this.#listeners.onEvent({ type: "exited", life, code: null, signal: null, oom: false }));
      return;
    }
    this.#vessels.set(life, vessel);
    this.#silent.add(life);
    const { pid, thread, post } = vessel;
    if (pid === undefined) return;
    this.#listeners.onEvent({ type: "forked", life, pid, thread });
    if (post !== null) this.#listeners.onPost(life, place, pid, post);
  }

  #start(life: number, place: Place, sockets: readonly QueueSocket[]): Vessel {
    const limits = newLimits();
    const onTrouble = (error: Error): void => this.#listeners.onRemark({ type: "trouble", place, error });
    const birth = { plan: this.#plan, place, sockets, mark: this.#descendants.markOf(life), turnstile: this.#turnstile };
    return (isThread(this.#plan, place) ? startThread : startProcess)(birth, {
      onTrouble,
      onComplaint: (message) => {
        if (limits.remarks.take()) this.#listeners.onRemark({ type: "complaint", place, message });
      },
      onMessage: (raw, handle) => this.#onMessage(life, place, raw, handle, limits),
      onBroken: (error) => {
        this.#listeners.onCutOff(life);
        this.#listeners.onJunk(place);
        onTrouble(error);
      },
      onMissed: () => this.#listeners.onMissed(life),
      onUnstarted: (error) => this.#listeners.onRemark({ type: "unstarted", place, error }),
      onLost: () => this.#listeners.onEvent({ type: "disconnected", life }),
      onEnd: () => this.#descendants.orphaned(life, place, this.#killed.has(life)),
      onExit: (code, signal) => this.#onExit(life, code, signal),
    });
  }

  /** Sends an order; a handle goes along as a copy. @returns whether it was sent */
  tell(life: number, message: MasterToChild, handle?: TcpHandle): boolean {
    const vessel = this.#vessels.get(life);
    if (message.type === "drain" && vessel !== undefined) {
      this.#note(life, vessel);
      // Before its first statement it hears no order, on a busy machine for seconds.
      if (this.#silent.has(life)) vessel.endUnborn();
    }
    if (vessel?.isConnected !== true || !vessel.takes()) return false;
    vessel.send(seal(message), handle, ignore);
    return true;
  }

  /**
   * Hands a connection over, as a copy.
   * @returns whether no other handle is on its way to that child; null: it has no channel any more
   */
  handOver(life: number, message: HandOverOrder, handle: ConnectionHandle): { readonly isAlone: boolean } | null {
    const vessel = this.#vessels.get(life);
    if (vessel?.isConnected !== true) return null;
    const isAlone = !vessel.hasHandleInFlight();
    vessel.send(seal(message), handle, ignore);
    return { isAlone };
  }

  /** Sends a letter with a copy of a handle. @returns why the child takes none; null when it was sent */
  hand(life: number, handed: Handed, handle: TcpHandle, done: () => void): "full" | "thread" | null {
    const vessel = this.#vessels.get(life);
    if (vessel?.isConnected !== true || !vessel.takes()) return "full";
    if (!vessel.takesHandles) return "thread";
    const onWay = this.#handsOnWay.get(life) ?? new Set();
    this.#handsOnWay.set(life, onWay.add(done));
    vessel.send(sealHanded(handed), handle, () => onWay.delete(done) && done());
    return null;
  }

  /** What a child writes cannot be understood: it loses its channel, drains and is replaced. */
  giveUp(life: number): void {
    const vessel = this.#vessels.get(life);
    if (vessel?.isConnected !== true) return;
    vessel.disconnect();
    this.#listeners.onCutOff(life);
  }

  /** SIGKILLs a child and what it started. */
  kill(life: number): void {
    const vessel = this.#vessels.get(life);
    if (vessel === undefined) return;
    this.#killed.add(life);
    this.#killTree(life, vessel);
  }

  /** The last resort, on the way out of the master: synchronous. @returns whether a child lives that ends with the master alone */
  killAll(): boolean {
    const vessels = [...this.#vessels];
    for (const [life, vessel] of vessels) this.#killTree(life, vessel);
    this.#descendants.killAllNow(vessels.length > 0);
    return vessels.some(([, { thread }]) => thread !== null);
  }

  /** Resolves when nothing is left of what the ended children had started; what does not end in time is killed. */
  descendantsEnded(graceMs: number): Promise<void> {
    return this.#descendants.settled(graceMs);
  }

  #killTree(life: number, vessel: Vessel): void {
    const descendants = this.#note(life, vessel);
    vessel.kill();
    for (const each of descendants) signalProcess(each, "SIGKILL");
  }

  /** A thread's parentage says nothing: whatever the master has started would be its own. What it has started itself is found by its mark. */
  #note(life: number, { pid, thread }: Vessel): readonly ProcessIdentity[] {
    if (pid === undefined) return [];
    return thread === null ? this.#descendants.note(life, pid) : this.#descendants.noteMarked(life);
  }

  #onExit(life: number, code: number | null, signal: NodeJS.Signals | null): void {
    if (!this.#vessels.delete(life)) return;
    this.#silent.delete(life);
    // Node tells nothing of what still waited for a child that is gone.
    for (const done of this.#handsOnWay.get(life) ?? []) done();
    this.#handsOnWay.delete(life);
    const wasOurs = this.#killed.delete(life);
    const oom = signal === "SIGKILL" && !wasOurs && this.#oom.claim();
    this.#listeners.onEvent({ type: "exited", life, code, signal, oom });
  }

  #lookForOom(place: Place): void {
    const kills = this.#oom.look();
    if (kills > 0) this.#listeners.onRemark({ type: "oom-elsewhere", place, kills });
  }

  #onMessage(life: number, place: Place, raw: unknown, handle: unknown, limits: Limits): boolean {
    const handed = openHanded(raw);
    if (handed !== null && handle !== undefined && limits.handed.take()) {
      this.#listeners.onHanded(life, handed, handle as TcpHandle);
      return true;
    }
    const message = handed === null ? openFromChild(raw) : null;
    if (message !== null) this.#silent.delete(life);
    const isTaken = message !== null && isAllowed(message, limits);
    const listener = isTaken && handsOver(message) && isListener(handle) ? handle : undefined;
    if (isTaken && message.type === "beat") this.#lookForOom(place);
    if (isTaken) hear(life, message, this.#listeners, { place, handle: listener, health: limits.health });
    if (listener === undefined) closeHandle(handle);
    return isTaken;
  }
}

function ignore(): void {}
