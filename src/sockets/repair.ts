// Repairs Node's round-robin, which is left where the master cannot accept by itself: it hands a connection to a worker and forgets it, so that a worker that
// dies before it acknowledges, or has no descriptor for it, leaves the client hanging for ever and a descriptor in the master (Node 22 to 26). Here every
// hand-over is remembered until it is acknowledged; what its worker cannot take goes to another one, or waits until one can. Leans on cluster's internal
// messages. Runs in the master.
import type { ChildProcess } from "node:child_process";
import cluster, { type Worker } from "node:cluster";
import { HANDLE_MISSED, HANDLE_TAKEN } from "../messenger/node-words.ts";
import { countUnsent, isHandleInFlight } from "./internals.ts";

interface Connection {
  close(): void;
}

interface InternalMessage {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: number;
  readonly ack?: number;
  readonly key?: unknown;
  accepted?: boolean;
}

interface HandOver {
  readonly connection: Connection;
  readonly key: unknown;
  readonly refusedBy: Set<Worker>;
  /** Since when nobody can take it. */
  keptSince: number | null;
}

/** After an exit, acknowledgements that are still in the channel's buffer may arrive; they come before its end, which may never come. */
const BUFFERED_MS = 200;
/** When those that could not take a connection are asked again, at the soonest, and until when: then its client is told. */
const ASK_AGAIN_MS = 100;
const KEPT_MS = 10_000;
/** More than this the master does not keep: each costs a descriptor. */
const MOST_KEPT = 4_096;

/** The ports that a worker has accepted a connection of: one that still boots would keep a client waiting until it has booted. */
const accepted: WeakMap<Worker, Set<unknown>> = new WeakMap();

/** Numbers of our own for what is handed over again: Node's are positive. */
let nextSeq = -1;
/** What is known of those. */
const passedOn: WeakMap<Connection, HandOver> = new WeakMap();
let kept = 0;

/** By child: what to do once it will not be heard any more. */
const leaving: WeakMap<ChildProcess, () => void> = new WeakMap();

/** The child is not listened to any more, and lives on: what it was sent is its own from now on, what still waits goes to others at the channel's end. */
export function leaveHandOvers(child: ChildProcess): void {
  leaving.get(child)?.();
}

/** Watches every worker that is forked from now on. Harmless without round-robin. */
export function repairRoundRobin(): void {
  cluster.on("fork", watch);
}

function watch(worker: Worker): void {
  const child = worker.process;
  const pending = new Map<number, HandOver>();
  /** Which hand-over went with each handle that was sent: the child answers to one after the other. */
  const onTheirWay: (number | null)[] = [];
  const send = child.send as (message: unknown, handle?: unknown, ...rest: unknown[]) => boolean;
  const watched = (message: InternalMessage, handle?: unknown, ...rest: unknown[]): boolean => {
    if (typeof handle === "object" && handle !== null) note(message, handle as Connection);
    return send.call(child, message, handle, ...rest);
  };
  child.send = watched as typeof child.send;
  // Before Node: what it is told of an answer is settled here.
  child.prependListener("internalMessage", (message: InternalMessage) => {
    if (message?.cmd === HANDLE_TAKEN) onTheirWay.shift();
    else if (message?.cmd === HANDLE_MISSED) onMissed(onTheirWay.shift() ?? null);
    else if (message?.cmd === "NODE_CLUSTER" && message.ack !== undefined) onAnswer(message.ack, message);
  });
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    for (const handOver of pending.values()) refuse(handOver);
    pending.clear();
  };
  leaving.set(child, () => {
    const unsent = new Set(onTheirWay.splice(Math.max(0, onTheirWay.length - countUnsent(child))));
    for (const [seq, { connection }] of pending) {
      if (unsent.has(seq)) continue;
      pending.delete(seq);
      connection.close();
    }
  });
  child.once("disconnect", end);
  child.once("exit", () => setTimeout(end, BUFFERED_MS).unref());

  function note(message: InternalMessage, connection: Connection): void {
    const { key, seq } = message;
    const isHandOver = message.cmd === "NODE_CLUSTER" && message.act === "newconn" && seq !== undefined;
    if (!isHandleInFlight(child)) onTheirWay.length = 0;
    onTheirWay.push(isHandOver ? seq : null);
    if (isHandOver) pending.set(seq, passedOn.get(connection) ?? { connection, key, refusedBy: new Set(), keptSince: null });
  }

  function onAnswer(ack: number, answer: InternalMessage): void {
    const handOver = pending.get(ack);
    if (handOver === undefined) return;
    pending.delete(ack);
    const isAccepted = answer.accepted === true;
    noteAcceptance(worker, handOver.key, isAccepted);
    if (isAccepted) {
      // Node closes its own copy; one of what was handed over again is ours to close.
      if (ack < 0) handOver.connection.close();
      return;
    }
    // A worker that has stopped accepting. Node would give it to the next in turn, and where none is left to a list that nobody looks at any more.
    if (ack >= 0) {
      keepOpen(handOver.connection);
      answer.accepted = true;
    }
    refuse(handOver);
  }

  /** It has no descriptor for it. Node forgets the connection then, and with it that this worker is free for the next one. */
  function onMissed(seq: number | null): void {
    const handOver = seq === null ? undefined : pending.get(seq);
    if (seq === null || handOver === undefined) return;
    pending.delete(seq);
    noteAcceptance(worker, handOver.key, false);
    if (seq >= 0) settleForNode(seq, handOver.connection);
    refuse(handOver);
  }

  function settleForNode(seq: number, connection: Connection): void {
    keepOpen(connection);
    child.emit("internalMessage", { cmd: "NODE_CLUSTER", ack: seq, accepted: true });
  }

  function refuse(handOver: HandOver): void {
    handOver.refusedBy.add(worker);
    pass(handOver);
  }
}

/** Node closes what it takes for accepted, once: not this one, which goes on. */
function keepOpen(connection: Connection): void {
  const { close } = connection;
  connection.close = () => {
    connection.close = close;
  };
}

function noteAcceptance(worker: Worker, key: unknown, isAccepting: boolean): void {
  const keys = accepted.get(worker) ?? new Set();
  if (isAccepting) keys.add(key);
  else keys.delete(key);
  accepted.set(worker, keys);
}

/** To another connected worker, if there is one to one that accepts; without any the client is told at once, by the end of its connection. */
function pass(handOver: HandOver): void {
  const { connection, key, refusedBy } = handOver;
  const connected = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true && !worker.isDead());
  if (connected.length === 0) return connection.close();
  const willing = connected.filter((worker) => worker !== undefined && !refusedBy.has(worker));
  const accepting = willing.filter((worker) => worker !== undefined && accepted.get(worker)?.has(key) === true);
  const others = accepting.length > 0 ? accepting : willing;
  const other = others[Math.abs(nextSeq) % Math.max(1, others.length)];
  if (other === undefined) return keep(handOver);
  passedOn.set(connection, handOver);
  other.process.send({ cmd: "NODE_CLUSTER", act: "newconn", key, seq: nextSeq-- } as never, connection as never);
}

/** Nobody can take it just now. */
function keep(handOver: HandOver): void {
  handOver.keptSince ??= performance.now();
  if (kept >= MOST_KEPT || performance.now() - handOver.keptSince > KEPT_MS) return handOver.connection.close();
  kept++;
  const askAgain = (): void => {
    kept--;
    handOver.refusedBy.clear();
    pass(handOver);
  };
  // However many are kept, no more than a thousand a second are tried.
  setTimeout(askAgain, Math.max(ASK_AGAIN_MS, kept));
}
