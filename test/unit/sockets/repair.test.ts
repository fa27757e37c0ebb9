// A connection that a worker has not acknowledged when it dies, or has no descriptor for, goes to another worker: to one that accepts, if there is one.
// Workers are stand-ins.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import cluster, { type Worker } from "node:cluster";
import { EventEmitter } from "node:events";
import { beforeEach, test } from "node:test";
import { leaveHandOvers, repairRoundRobin } from "../../../src/sockets/repair.ts";

const KEY = "3000:null:4";

interface Sent {
  readonly act: string;
  readonly seq: number;
  readonly connection: Connection | undefined;
}
interface Connection {
  closed: boolean;
  close: () => void;
}
interface StandIn {
  readonly sent: Sent[];
  /** What Node hears of each of its own hand-overs: of one that was not accepted it gives the connection away once more. */
  readonly heard: boolean[];
  handOver(seq: number, connection: Connection): void;
  acknowledge(seq: number, accepted: boolean): void;
  /** Sends a handle that is no connection of ours. */
  sendElse(handle: Connection): void;
  /** It has no descriptor for the next of what it was sent, or it has. */
  miss(): void;
  take(): void;
  /** It will not be heard any more. */
  leave(): void;
  die(): void;
}

function makeConnection(): Connection {
  const connection = {
    closed: false,
    close: () => {
      connection.closed = true;
    },
  };
  return connection;
}

const workers: Record<string, Worker> = {};
Object.assign(cluster, { workers });
repairRoundRobin();
beforeEach(() => {
  for (const id of Object.keys(workers)) delete workers[id];
});

function startWorker(): StandIn {
  const sent: Sent[] = [];
  const heard: boolean[] = [];
  let untaken = 0;
  const send = ({ act, seq }: { act: string; seq: number }, connection?: Connection): boolean => {
    untaken++;
    return sent.push({ act, seq, connection }) > 0;
  };
  const child = Object.assign(new EventEmitter(), { send });
  Object.defineProperty(child, "_handleQueue", { get: () => (untaken > 0 ? Array(untaken - 1).fill({ handle: child }) : null) });
  const answer = (cmd: "NODE_HANDLE_ACK" | "NODE_HANDLE_NACK"): void => {
    untaken--;
    child.emit("internalMessage", { cmd });
  };
  let connected = true;
  const worker = { process: child, isConnected: () => connected, isDead: () => !connected } as unknown as Worker;
  workers[Object.keys(workers).length + 1] = worker;
  cluster.emit("fork", worker);
  return {
    sent,
    heard,
    handOver(seq, connection) {
      // As Node does: it closes its own copy of what is accepted.
      child.on("internalMessage", (message: { ack?: number; accepted?: boolean }) => {
        if (message.ack !== seq) return;
        heard.push(message.accepted === true);
        if (message.accepted === true) connection.close();
      });
      child.send({ cmd: "NODE_CLUSTER", act: "newconn", key: KEY, seq } as never, connection);
    },
    sendElse: (handle) => void child.send({ act: "else", seq: 0 }, handle),
    miss: () => answer("NODE_HANDLE_NACK"),
    take: () => answer("NODE_HANDLE_ACK"),
    leave: () => leaveHandOvers(child as unknown as ChildProcess),
    acknowledge: (seq, accepted) => {
      if (untaken > 0) answer("NODE_HANDLE_ACK");
      child.emit("internalMessage", { cmd: "NODE_CLUSTER", ack: seq, accepted });
    },
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

test("passes on what its first worker refuses, and lets Node go on as if it were accepted", () => {
  const [draining, other] = [startWorker(), startWorker()];
  const connection = makeConnection();
  draining.handOver(1, connection);
  draining.acknowledge(1, false);
  assert.deepEqual(draining.heard, [true]);
  assert.equal(connection.closed, false);
  assert.equal(other.sent.at(-1)?.connection, connection);
  other.acknowledge(other.sent.at(-1)?.seq ?? 0, true);
  assert.equal(connection.closed, true);
});

test("keeps what its only worker refuses until another one accepts", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const draining = startWorker();
  const connection = makeConnection();
  draining.handOver(1, connection);
  draining.acknowledge(1, false);
  const successor = startWorker();
  for (let asked = 0; asked < 4 && !connection.closed; asked++) {
    const before = successor.sent.length;
    t.mock.timers.tick(100);
    const isSuccessor = successor.sent.length > before;
    const holder = isSuccessor ? successor : draining;
    holder.acknowledge(holder.sent.at(-1)?.seq ?? 0, isSuccessor);
  }
  assert.equal(connection.closed, true);
  assert.equal(successor.sent.at(-1)?.connection, connection);
});

test("leaves what it has sent to a worker that lives on without a channel, and passes on what still waited", () => {
  const [cutOff, other] = [startWorker(), startWorker()];
  const [sent, waiting] = [makeConnection(), makeConnection()];
  cutOff.handOver(1, sent);
  cutOff.handOver(2, waiting);
  cutOff.leave();
  cutOff.die();
  assert.deepEqual([sent.closed, waiting.closed], [true, false]);
  assert.deepEqual(
    other.sent.map(({ connection }) => connection),
    [waiting],
  );
});

test("ends the connection when nobody is left", () => {
  const victim = startWorker();
  const connection = makeConnection();
  victim.handOver(1, connection);
  victim.die();
  assert.equal(connection.closed, true);
});

test("passes on what a worker has no descriptor for, and lets Node go on with that worker", () => {
  const [short, other] = [startWorker(), startWorker()];
  const connection = makeConnection();
  short.handOver(1, connection);
  short.miss();
  assert.equal(connection.closed, false);
  assert.equal(other.sent.at(-1)?.connection, connection);
  other.acknowledge(other.sent.at(-1)?.seq ?? 0, true);
  assert.equal(connection.closed, true);
});

test("takes a miss for the handle that it is about: they are answered one after the other", () => {
  const [worker, other] = [startWorker(), startWorker()];
  const [first, second] = [makeConnection(), makeConnection()];
  worker.handOver(1, first);
  worker.sendElse(makeConnection());
  worker.handOver(2, second);
  worker.take();
  worker.miss();
  assert.equal(other.sent.length, 0);
  worker.miss();
  assert.deepEqual(
    other.sent.map(({ connection }) => connection),
    [second],
  );
});

test("keeps what nobody has a descriptor for until somebody has", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const workers = [startWorker(), startWorker()];
  const connection = makeConnection();
  workers[0]?.handOver(1, connection);
  for (const worker of workers) worker.miss();
  for (let asked = 0; asked < 5; asked++) {
    const before = workers.map(({ sent }) => sent.length);
    t.mock.timers.tick(100);
    // The one that is asked has none, nor has the other one.
    const first = workers.findIndex(({ sent }, index) => sent.length > (before[index] ?? 0));
    workers[first]?.miss();
    workers[1 - first]?.miss();
    assert.equal(connection.closed, false);
  }
  t.mock.timers.tick(100);
  const taker = workers.find(({ sent }) => sent.length === 7);
  taker?.acknowledge(taker.sent.at(-1)?.seq ?? 0, true);
  assert.equal(connection.closed, true);
});
