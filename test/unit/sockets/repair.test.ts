// A connection that a dead worker had not acknowledged goes to another worker: to one that accepts, if there is one. Workers are stand-ins.
import assert from "node:assert/strict";
import cluster, { type Worker } from "node:cluster";
import { EventEmitter } from "node:events";
import { beforeEach, test } from "node:test";
import { repairRoundRobin } from "../../../src/sockets/repair.ts";

const KEY = "3000:null:4";

interface Sent {
  readonly act: string;
  readonly seq: number;
  readonly connection: Connection | undefined;
}
interface Connection {
  closed: boolean;
  close(): void;
}
interface StandIn {
  readonly sent: Sent[];
  handOver(seq: number, connection: Connection): void;
  acknowledge(seq: number, accepted: boolean): void;
  die(): void;
}

function makeConnection(): Connection {
  return {
    closed: false,
    close() {
      this.closed = true;
    },
  };
}

const workers: Record<string, Worker> = {};
Object.assign(cluster, { workers });
repairRoundRobin();
beforeEach(() => {
  for (const id of Object.keys(workers)) delete workers[id];
});

function startWorker(): StandIn {
  const sent: Sent[] = [];
  const send = ({ act, seq }: { act: string; seq: number }, connection?: Connection): boolean => sent.push({ act, seq, connection }) > 0;
  const child = Object.assign(new EventEmitter(), { send });
  let connected = true;
  const worker = { process: child, isConnected: () => connected } as unknown as Worker;
  workers[Object.keys(workers).length + 1] = worker;
  cluster.emit("fork", worker);
  return {
    sent,
    handOver: (seq, connection) => void child.send({ cmd: "NODE_CLUSTER", act: "newconn", key: KEY, seq } as never, connection),
    acknowledge: (seq, accepted) => void child.emit("internalMessage", { cmd: "NODE_CLUSTER", ack: seq, accepted }),
    die: () => {
      connected = false;
      child.emit("disconnect");
    },
  };
}

test("passes what was not acknowledged to a worker that has accepted before, not to one that may still boot", () => {
  const [victim, , accepting] = [startWorker(), startWorker(), startWorker()];
  accepting.handOver(1, makeConnection());
  accepting.acknowledge(1, true);
  for (let seq = 2; seq < 6; seq++) victim.handOver(seq, makeConnection());
  victim.acknowledge(2, true);
  victim.die();
  assert.equal(accepting.sent.length, 1 + 3);
});

test("passes it on from one that accepts no more", () => {
  const [victim, draining, other] = [startWorker(), startWorker(), startWorker()];
  for (const [seq, worker] of [draining, other].entries()) {
    worker.handOver(seq, makeConnection());
    worker.acknowledge(seq, true);
  }
  const connection = makeConnection();
  victim.handOver(9, connection);
  victim.die();
  const holder = [draining, other].find(({ sent }) => sent.at(-1)?.connection === connection);
  assert.ok(holder !== undefined);
  const next = holder === draining ? other : draining;
  holder.acknowledge(holder.sent.at(-1)?.seq ?? 0, false);
  assert.equal(next.sent.at(-1)?.connection, connection);
  next.acknowledge(next.sent.at(-1)?.seq ?? 0, true);
  assert.equal(connection.closed, true, "the master's own copy is closed once it is acknowledged");
});

test("ends the connection when nobody is left", () => {
  const victim = startWorker();
  const connection = makeConnection();
  victim.handOver(1, connection);
  victim.die();
  assert.equal(connection.closed, true);
});
