// The children as the master sees them: starts, tells and kills them by the id of their life, and turns what they do into events.
// A child's death, junk on its channel or a full pipe never throws in the master.
import { type Handed, openHanded, sealHanded } from "../messenger/handed.ts";
import type { SpareWord } from "../messenger/spare.ts";
import { Turnstile } from "../messenger/turnstile.ts";
import {
  type ChildToMaster,
  type CutOff,
  type HandOverAnswer,
  type HandOverOrder,
  type MasterToChild,
  openFromChild,
  type Scheme,
  seal,
} from "../messenger/wire.ts";
import type { Event } from "../policy/events.ts";
import type { QueueSocket } from "../sockets/held.ts";
import { type ConnectionHandle, isListener, type TcpHandle } from "../sockets/internals.ts";
import { signalProcess } from "../system/kin.ts";
import { OomWatch } from "../system/oom.ts";
import type { ProcessIdentity } from "../system/procfs.ts";
import { closeHandle } from "./child-channel.ts";
import { isAllowed, type Limits, newLimits } from "./child-limits.ts";
import { startProcess } from "./child-process.ts";
import { Descendants, type Ended } from "./descendants.ts";
import { isThread, type LaunchPlan, type Place } from "./launch.ts";
import type { OpenPipe } from "./post-pipe.ts";
import { startThread } from "./thread.ts";
import type { Vessel } from "./vessel.ts";

/** What a child says that is no event of its life: for the log and the metrics. */
export type Remark =
  | {
      readonly type: "listening";
      readonly place: Place;
      readonly address: string;
      readonly port: number | null;
      readonly expected: boolean;
      readonly scheme: Scheme;
    }
  | { readonly type: "unheeded"; readonly place: Place }
  | { readonly type: "probed"; readonly place: Place; readonly answer: string }
  | { readonly type: "survived"; readonly place: Place; readonly message: string; readonly stack: string }
  | (CutOff & { readonly place: Place })
  | ({ readonly type: "descendants" } & Ended)
  /** The kernel killed what is no child of the master's; which one has nothing to do with the place. */
  | { readonly type: "oom-elsewhere"; readonly place: Place; readonly kills: number }
  /** There is no process, or there is one and something is wrong with it, or it is not all that was asked for. */
  | { readonly type: "unstarted" | "trouble"; readonly place: Place; readonly error: Error }
  | { readonly type: "complaint"; readonly place: Place; readonly message: string };

/** What a worker says of the ports that can be held. */
export type PortMessage = Extract<ChildToMaster, { type: "lodged" | "locked" | "opened" | "shut" | "reopened" }>;

interface Listeners {
  readonly onEvent: (event: Event) => void;
  readonly onRemark: (remark: Remark) => void;
  /** With `lodged` and `locked` a child hands a socket over, for the master to hold. */
  readonly onPort: (life: number, message: PortMessage, handle: TcpHandle | undefined) => void;
  /** What became of a connection that was handed over. */
  readonly onAnswer: (life: number, id: number, answer: HandOverAnswer) => void;
  /** With `yields` a connection comes along. */
  readonly onSpare: (life: number, word: SpareWord, handle: TcpHandle | undefined) => void;
  /** A letter came with a handle, which whoever hears of it closes. */
  readonly onHanded: (life: number, handed: Handed, handle: TcpHandle) => void;
  /** It wrote what is no message. */
  readonly onJunk: (place: Place) => void;
  /** A child is there, with the pipe for its letters. */
  readonly onPost: (life: number, place: Place, pid: number, pipe: OpenPipe) => void;
  /** A handle did not reach a child: it has no descriptor for it. Node tells it that way, and forgets the handle. */
  readonly onMissed: (life: number) => void;
  /** What it says is not read any more; it lives on. */
  readonly onCutOff: (life: number) => void;
}

/** What matters beside a message. */
interface Beside {
  readonly handle: TcpHandle | undefined;
  readonly limits: Limits;
}

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
    if (isTaken) this.#dispatch(life, place, message, { handle: listener, limits });
    if (listener === undefined) closeHandle(handle);
    return isTaken;
  }

  #dispatch(life: number, place: Place, message: ChildToMaster, { handle, limits }: Beside): void {
    const { onEvent, onRemark, onPort, onAnswer, onSpare } = this.#listeners;
    switch (message.type) {
      case "ready":
        return onEvent({ type: "readied", life });
      case "beat":
        this.#lookForOom(place);
        return onEvent({ type: "beat", life, sample: message.sample });
      case "closed":
        return onEvent({ type: "closed", life });
      case "idle":
        return onEvent({ type: "idled", life });
      case "health":
        return onEvent({ type: "health", life, name: message.name, reason: message.reason, isTold: limits.health.take() });
      case "fault": {
        const { fault, survived } = message;
        if (!survived) return onEvent({ type: "faulted", life, fault });
        return onRemark({ type: "survived", place, message: `${fault.name}: ${fault.message}`, stack: fault.stack });
      }
      case "lodged":
      case "locked":
      case "opened":
      case "shut":
      case "reopened":
        return onPort(life, message, handle);
      case "answered":
        return onAnswer(life, message.id, message.answer);
      case "spare":
      case "wants":
      case "keeps":
      case "yields":
        return onSpare(life, message, handle);
      case "listening":
      case "unheeded":
      case "probed":
      case "cut":
        return onRemark({ ...message, place });
      default:
        message satisfies never;
    }
  }
}

/** Whether a handle that comes with it has a taker. */
function handsOver({ type }: ChildToMaster): boolean {
  return type === "lodged" || type === "locked" || type === "yields";
}

function ignore(): void {}
