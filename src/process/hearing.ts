// Who hears what a child says: an event of its life, a remark for the log, or what is said of sockets and connections. Runs in the master.
import type { Allowance } from "../messenger/allowance.ts";
import type { Handed } from "../messenger/handed.ts";
import type { SpareWord } from "../messenger/spare.ts";
import type { ChildToMaster, HandOverAnswer } from "../messenger/wire.ts";
import type { Event } from "../policy/events.ts";
import type { TcpHandle } from "../sockets/internals.ts";
import type { Ended } from "./descendants.ts";
import type { Place } from "./launch.ts";
import type { OpenPipe } from "./post-pipe.ts";

/** What a child says that is no event of its life: for the log and the metrics. */
export type Remark =
  | (Extract<ChildToMaster, { type: "listening" | "unheeded" | "probed" | "cut" }> & { readonly place: Place })
  | { readonly type: "survived"; readonly place: Place; readonly message: string; readonly stack: string }
  | ({ readonly type: "descendants" } & Ended)
  /** The kernel killed what is no child of the master's; which one has nothing to do with the place. */
  | { readonly type: "oom-elsewhere"; readonly place: Place; readonly kills: number }
  /** There is no process, or there is one and something is wrong with it, or it is not all that was asked for. */
  | { readonly type: "unstarted" | "trouble"; readonly place: Place; readonly error: Error }
  | { readonly type: "complaint"; readonly place: Place; readonly message: string };

/** What a worker says of the ports that can be held. */
export type PortMessage = Extract<ChildToMaster, { type: "lodged" | "locked" | "opened" | "shut" | "reopened" }>;

export interface Listeners {
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
  readonly place: Place;
  readonly handle: TcpHandle | undefined;
  readonly health: Allowance;
}

export function hear(life: number, message: ChildToMaster, listeners: Listeners, { place, handle, health }: Beside): void {
  const { onEvent, onRemark, onPort, onAnswer, onSpare } = listeners;
  switch (message.type) {
    case "ready":
      return onEvent({ type: "readied", life });
    case "beat":
      return onEvent({ type: "beat", life, sample: message.sample });
    case "closed":
      return onEvent({ type: "closed", life });
    case "idle":
      return onEvent({ type: "idled", life });
    case "health":
      return onEvent({ type: "health", life, name: message.name, reason: message.reason, isTold: health.take() });
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

/** Whether a handle that comes with it has a taker. */
export function handsOver({ type }: ChildToMaster): boolean {
  return type === "lodged" || type === "locked" || type === "yields";
}
