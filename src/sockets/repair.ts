// Repairs Node's round-robin: it hands a connection to a worker and forgets it, so that a worker that dies before it acknowledges leaves the client
// hanging for ever and a descriptor in the master (Node 22 to 26). Here every hand-over is remembered until it is acknowledged; when the channel of
// its worker ends, it goes to another worker, or is closed. Leans on cluster's internal messages. Runs in the master.
import cluster, { type Worker } from "node:cluster";

interface Connection {
  close(): void;
}

interface ClusterMessage {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: number;
  readonly ack?: number;
  readonly key?: unknown;
  readonly accepted?: boolean;
}

interface HandOver {
  readonly connection: Connection;
  readonly key: unknown;
}

/** After an exit, acknowledgements that are still in the channel's buffer may arrive; they come before its end, which may never come. */
const BUFFERED_MS = 200;

/** The ports that a worker has accepted a connection of: one that still boots would keep a client waiting until it has booted. */
const accepted: WeakMap<Worker, Set<unknown>> = new WeakMap();

/** Numbers of our own for what is handed over again: Node's are positive. */
let nextSeq = -1;

/** Watches every worker that is forked from now on. Harmless without round-robin. */
export function repairRoundRobin(): void {
  cluster.on("fork", watch);
}

function watch(worker: Worker): void {
  const child = worker.process;
  const pending = new Map<number, HandOver>();
  const send = child.send as (message: unknown, handle?: unknown, ...rest: unknown[]) => boolean;
  const watched = (message: ClusterMessage, handle?: Connection, ...rest: unknown[]): boolean => {
    const isHandOver = message?.cmd === "NODE_CLUSTER" && message.act === "newconn" && handle !== undefined;
    if (isHandOver && message.seq !== undefined) pending.set(message.seq, { connection: handle, key: message.key });
    return send.call(child, message, handle, ...rest);
  };
  child.send = watched as typeof child.send;
  child.on("internalMessage", (message: ClusterMessage) => {
    if (message?.cmd !== "NODE_CLUSTER" || message.ack === undefined) return;
    const handOver = pending.get(message.ack);
    pending.delete(message.ack);
    if (handOver !== undefined) noteAcceptance(worker, handOver.key, message.accepted === true);
    // Node itself looks after its own; one that was handed over again is ours to close, or to pass on once more.
    if (handOver === undefined || message.ack >= 0) return;
    if (message.accepted === true) handOver.connection.close();
    else pass(handOver, worker);
  });
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    for (const handOver of pending.values()) pass(handOver, worker);
    pending.clear();
  };
  child.once("disconnect", end);
  child.once("exit", () => setTimeout(end, BUFFERED_MS).unref());
}

function noteAcceptance(worker: Worker, key: unknown, isAccepting: boolean): void {
  const keys = accepted.get(worker) ?? new Set();
  if (isAccepting) keys.add(key);
  else keys.delete(key);
  accepted.set(worker, keys);
}

/** To another connected worker, if there is one to one that accepts; without any the client is told at once, by the end of its connection. */
function pass({ connection, key }: HandOver, from: Worker): void {
  const connected = Object.values(cluster.workers ?? {}).filter(
    (worker) => worker !== undefined && worker !== from && worker.isConnected(),
  );
  const accepting = connected.filter((worker) => worker !== undefined && accepted.get(worker)?.has(key) === true);
  const others = accepting.length > 0 ? accepting : connected;
  const other = others[Math.abs(nextSeq) % Math.max(1, others.length)];
  if (other === undefined) return connection.close();
  other.process.send({ cmd: "NODE_CLUSTER", act: "newconn", key, seq: nextSeq-- } as never, connection as never);
}
