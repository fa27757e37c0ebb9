// The children as the master sees them: starts, tells and kills them by the id of their life, and turns what they do into events.
// A child's death, junk on its channel or a full pipe never throws in the master.
import type { ChildProcess } from "node:child_process";
import { type Handed, openHanded, sealHanded } from "../messenger/handed.ts";
import { Turnstile } from "../messenger/turnstile.ts";
import { type ChildToMaster, type CutOff, type HandOverOrder, type MasterToChild, openFromChild, seal } from "../messenger/wire.ts";
import type { Event } from "../policy/events.ts";
import type { QueueSocket } from "../sockets/held.ts";
import { type ConnectionHandle, isHandleInFlight, type TcpHandle } from "../sockets/internals.ts";
import { signalProcess } from "../system/kin.ts";
import { OomWatch } from "../system/oom.ts";
import { preferForOom } from "../system/oom-score.ts";
import { Allowance } from "./allowance.ts";
import { closeHandle, readChannel } from "./child-channel.ts";
import { Descendants, type Ended } from "./descendants.ts";
import { afterLastWords, LAST_WORDS_MS } from "./last-words.ts";
import { type LaunchPlan, launch, type Place } from "./launch.ts";
import { type OpenPipe, postPipe } from "./post-pipe.ts";

/** What a child says that is no event of its life: for the log and the metrics. */
export type Remark =
  | {
      readonly type: "listening";
      readonly place: Place;
      readonly address: string;
      readonly port: number | null;
      readonly expected: boolean;
      readonly secure: boolean;
    }
  | { readonly type: "survived"; readonly place: Place; readonly message: string; readonly stack: string }
  | (CutOff & { readonly place: Place })
  | ({ readonly type: "descendants" } & Ended)
  /** The kernel killed what is no child of the master's; which one has nothing to do with the place. */
  | { readonly type: "oom-elsewhere"; readonly place: Place; readonly kills: number }
  /** There is no process, or there is one and something is wrong with it. */
  | { readonly type: "unstarted" | "trouble"; readonly place: Place; readonly error: Error };

/** What a worker says of the ports that can be held. */
export type PortMessage = Extract<ChildToMaster, { type: "lodged" | "locked" | "opened" | "shut" | "reopened" | "answered" }>;

/** Node's own answer to a message whose handle did not come with it. */
const HANDLE_MISSED = "NODE_HANDLE_NACK";

/** A child that says more than so many things for the log in a while is not listened to, nor one that hands over more sockets than any app listens on. */
const MOST_REMARKS = 100;
const REMARKS_PERIOD_MS = 10_000;
const MOST_HANDLES = 512;
/** Nor does one child have more connections pass through the master. */
const MOST_HANDED = 10_000;
const HANDED_PERIOD_MS = 1_000;

interface Limits {
  readonly remarks: Allowance;
  readonly handles: Allowance;
  readonly handed: Allowance;
}

interface Listeners {
  readonly onEvent: (event: Event) => void;
  readonly onRemark: (remark: Remark) => void;
  /** With `lodged` and `locked` a child hands a socket over, for the master to hold. */
  readonly onPort: (life: number, message: PortMessage, handle: TcpHandle | undefined) => void;
  /** A letter came with a handle, which whoever hears of it closes. */
  readonly onHanded: (life: number, handed: Handed, handle: TcpHandle) => void;
  /** It wrote what is no message. */
  readonly onJunk: (place: Place) => void;
  /** A child is there, with the pipe for its letters. */
  readonly onPost: (life: number, place: Place, pid: number, pipe: OpenPipe) => void;
  /** A handle did not reach a child: it has no descriptor for it. Node tells it that way, and forgets the handle. */
  readonly onMissed: (life: number) => void;
}

export class Children {
  readonly #plan: LaunchPlan;
  readonly #listeners: Listeners;
  readonly #processes: Map<number, ChildProcess> = new Map();
  readonly #killed: Set<number> = new Set();
  /** Those that have not said a word yet. */
  readonly #silent: Set<number> = new Set();
  readonly #channels: Map<number, { takes(): boolean }> = new Map();
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
    let child: ChildProcess;
    try {
      child = launch(this.#plan, place, sockets, this.#descendants.markOf(life));
    } catch (error) {
      this.#listeners.onRemark({ type: "unstarted", place, error: error as Error });
      // Later, so that a fork that fails at once is an event like any other.
      setImmediate(() => this.#listeners.onEvent({ type: "exited", life, code: null, signal: null, oom: false }));
      return;
    }
    this.#processes.set(life, child);
    this.#silent.add(life);
    const limits = {
      remarks: new Allowance(MOST_REMARKS, REMARKS_PERIOD_MS),
      handles: new Allowance(MOST_HANDLES, Number.POSITIVE_INFINITY),
      handed: new Allowance(MOST_HANDED, HANDED_PERIOD_MS),
    };
    const channel = readChannel(child, this.#turnstile, {
      onMessage: (raw, handle) => this.#onMessage(life, place, raw, handle, limits),
      onBroken: (error) => {
        this.#listeners.onJunk(place);
        this.#listeners.onRemark({ type: "trouble", place, error });
      },
    });
    this.#channels.set(life, channel);
    child.on("internalMessage", (raw: { readonly cmd?: unknown } | null) => raw?.cmd === HANDLE_MISSED && this.#listeners.onMissed(life));
    child.on("error", (error) => {
      this.#listeners.onRemark({ type: child.pid === undefined ? "unstarted" : "trouble", place, error });
      if (child.pid === undefined) this.#onExit(life, null, null);
    });
    // One that has ended is heard of in a moment.
    child.once("disconnect", () => {
      setTimeout(
        () => this.#processes.get(life) === child && this.#listeners.onEvent({ type: "disconnected", life }),
        LAST_WORDS_MS,
      ).unref();
    });
    child.once("exit", (code, signal) => {
      this.#descendants.orphaned(life, place, this.#killed.has(life));
      afterLastWords(child, () => this.#onExit(life, code, signal));
    });
    const pipe = postPipe(child);
    if (child.pid === undefined) return;
    preferForOom(child.pid);
    this.#listeners.onEvent({ type: "forked", life, pid: child.pid });
    if (pipe !== null) this.#listeners.onPost(life, place, child.pid, pipe);
  }

  /** Sends an order; a handle goes along as a copy. */
  tell(life: number, message: MasterToChild, handle?: TcpHandle): void {
    const child = this.#processes.get(life);
    if (message.type === "drain" && child?.pid !== undefined) {
      this.#descendants.note(life, child.pid);
      // Before its first statement it hears no order, on a busy machine for seconds, and TERM ends it; from then on TERM means nothing to it.
      if (this.#silent.has(life)) child.kill("SIGTERM");
    }
    if (child?.connected === true && this.#channels.get(life)?.takes() === true) child.send(seal(message), handle as never, ignore);
  }

  /**
   * Hands a connection over, as a copy.
   * @returns whether no other handle is on its way to that child; null: it has no channel any more
   */
  handOver(life: number, message: HandOverOrder, handle: ConnectionHandle): { readonly isAlone: boolean } | null {
    const child = this.#processes.get(life);
    if (child?.connected !== true) return null;
    const isAlone = !isHandleInFlight(child);
    child.send(seal(message), handle as never, ignore);
    return { isAlone };
  }

  /** Sends a letter with a copy of a handle. @returns false when the child takes none */
  hand(life: number, handed: Handed, handle: TcpHandle, done: () => void): boolean {
    const child = this.#processes.get(life);
    if (child?.connected !== true || this.#channels.get(life)?.takes() !== true) return false;
    const onWay = this.#handsOnWay.get(life) ?? new Set();
    this.#handsOnWay.set(life, onWay.add(done));
    child.send(sealHanded(handed), handle as never, () => onWay.delete(done) && done());
    return true;
  }

  /** What a child writes cannot be understood: it loses its channel, drains and is replaced. */
  giveUp(life: number): void {
    const child = this.#processes.get(life);
    if (child?.connected === true) child.disconnect();
  }

  /** SIGKILLs a child and what it started. */
  kill(life: number): void {
    const child = this.#processes.get(life);
    if (child === undefined) return;
    this.#killed.add(life);
    if (child.pid !== undefined) this.#killTree(life, child.pid);
    // A process that never came to be has no exit to wait for.
    else setImmediate(() => this.#onExit(life, null, null));
  }

  /** The last resort, on the way out of the master: synchronous. */
  killAll(): void {
    for (const [life, child] of this.#processes) if (child.pid !== undefined) this.#killTree(life, child.pid);
    this.#descendants.killAllNow(this.#processes.size > 0);
  }

  /** Resolves when nothing is left of what the ended children had started; what does not end in time is killed. */
  descendantsEnded(graceMs: number): Promise<void> {
    return this.#descendants.settled(graceMs);
  }

  #killTree(life: number, pid: number): void {
    const descendants = this.#descendants.note(life, pid);
    kill(pid);
    for (const each of descendants) signalProcess(each, "SIGKILL");
  }

  #onExit(life: number, code: number | null, signal: NodeJS.Signals | null): void {
    if (!this.#processes.delete(life)) return;
    this.#silent.delete(life);
    this.#channels.delete(life);
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
    if (isTaken) this.#dispatch(life, place, message, handle as TcpHandle | undefined);
    else closeHandle(handle);
    return isTaken;
  }

  #dispatch(life: number, place: Place, message: ChildToMaster, handle: TcpHandle | undefined): void {
    const { onEvent, onRemark, onPort } = this.#listeners;
    switch (message.type) {
      case "ready":
        return onEvent({ type: "readied", life });
      case "beat":
        this.#lookForOom(place);
        return onEvent({ type: "beat", life, sample: message.sample });
      case "closed":
        return onEvent({ type: "closed", life });
      case "health":
        return onEvent({ type: "health", life, name: message.name, reason: message.reason });
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
      case "answered":
        return onPort(life, message, handle);
      case "listening":
      case "cut":
        return onRemark({ ...message, place });
      default:
        message satisfies never;
    }
  }
}

function isAllowed(message: ChildToMaster, { remarks, handles }: Limits): boolean {
  const { type } = message;
  if (type === "lodged" || type === "locked") return handles.take();
  if (type === "listening" || type === "cut" || (type === "fault" && message.survived)) return remarks.take();
  return true;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

function ignore(): void {}
