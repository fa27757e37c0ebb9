// Listening as in a worker, in the test's own process: queues bound here, a stand-in for the channel to the master.
import { once } from "node:events";
import net, { type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Assignment, ChildToMaster, ListenOrder, PortOrder, QueueOrder } from "../../src/messenger/wire.ts";
import type { Channel } from "../../src/runtime/border/channel.ts";
import { HeldListening } from "../../src/runtime/listening/listen.ts";
import { bindHandle, type TcpHandle } from "../../src/sockets/internals.ts";
import { freePort } from "./ports.ts";

export interface Said {
  readonly message: ChildToMaster;
  readonly handle: TcpHandle | undefined;
}

export interface Worker {
  /** What it told the master. */
  readonly said: readonly Said[];
  /** As when it begins to drain. */
  end(): void;
  tell(type: PortOrder["type"], port: number, host?: string | null): void;
  order(type: QueueOrder["type"], queue: number, port: number, handle?: TcpHandle, host?: string | null): void;
}

const ASSIGNMENT: Assignment = {
  role: "worker",
  slot: 0,
  generation: 1,
  readyWhen: "listening",
  ports: [],
  serve: { when: "never", host: null, https: null },
  debugPort: null,
  post: 4,
  heartbeatMs: 1_000,
  stopTimeoutMs: 9_000,
  drainIdleMs: 5_000,
  keepsDaemons: false,
  service: "test",
  handOver: null,
  held: [],
  survivesUncaught: false,
  thread: false,
};

const NO_TRAFFIC = { connections: new Set<never>(), isLasting: false, countOn: () => 0 };

/** One for each test process: it hooks every listen() from then on. */
export function becomeWorker(assignment: Partial<Assignment> = {}): Worker {
  const said: Said[] = [];
  let onListen: (order: ListenOrder, handle: unknown) => void = () => {};
  const channel = {
    onListen: (listener: typeof onListen) => (onListen = listener),
    send: (message: ChildToMaster, done?: () => void, handle?: TcpHandle) => {
      said.push({ message, handle });
      done?.();
    },
  };
  const held = new HeldListening({ ...ASSIGNMENT, ...assignment }, channel as unknown as Channel, NO_TRAFFIC);
  return {
    said,
    end: () => held.end(false),
    order: (type, queue, port, handle, host = null) => onListen({ type, queue, port, host, isBusy: false }, handle),
    tell: (type, port, host = null) => onListen({ type, port, host }, undefined),
  };
}

/** A bound socket for one queue of a port. */
export function bindQueue(t: TestContext, port: number, host: string | null = null): TcpHandle {
  const handle = bindHandle(host, port);
  if (typeof handle === "number") throw new Error(`cannot bind ${host}:${port}: ${handle}`);
  t.after(() => handle.close());
  return handle;
}

export function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
}

export const QUEUES = 3;
/** The kernel spreads connections by chance: with so many, no queue of 3 is left out. */
export const CONNECTIONS = 60;

export interface Held {
  readonly port: number;
  readonly server: Server;
}

/** A port with QUEUES queues that wait for a server. */
export async function holdPort(t: TestContext, worker: Worker): Promise<number> {
  const port = await freePort();
  for (let queue = 0; queue < QUEUES; queue++) worker.order("adopt", queue, port, bindQueue(t, port));
  return port;
}

export async function serve(t: TestContext, worker: Worker): Promise<Held> {
  const port = await holdPort(t, worker);
  const server = net.createServer();
  t.after(() => void server.close());
  server.listen(port);
  await listening(server);
  return { port, server };
}

export async function connect(t: TestContext, port: number, count: number): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: count }, () => net.connect(port, "127.0.0.1"));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.on("error", () => {});
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return sockets;
}

export const connections = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))));
