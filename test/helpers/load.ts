// Clients for tests of the drain: single requests on connections of their own, raw connections, and a light, endless load that counts its failures.
import http from "node:http";
import net from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import { DEADLINE_MS } from "./until.ts";

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** One request; without an agent on a connection of its own that ends with it. Rejects when the answer is not whole. */
export function ask(url: string, agent: http.Agent | false = false, options: http.RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { timeout = DEADLINE_MS } = options;
    const request = http.get(url, { agent, ...options, timeout }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on("timeout", () => request.destroy(new Error(`no answer from ${url} within ${timeout} ms`)));
    request.on("error", reject);
  });
}

/** Whether something accepts connections on the port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** A connection that the test speaks HTTP on by hand. */
export interface RawConnection {
  readonly socket: net.Socket;
  /** All that came so far. */
  readonly received: () => string;
  readonly isClosed: () => boolean;
  send(path: string): void;
}

export async function connect(port: number, secure = false): Promise<RawConnection> {
  const host = "127.0.0.1";
  const socket = secure ? tls.connect({ port, host, rejectUnauthorized: false }) : net.connect(port, host);
  let received = "";
  let closed = false;
  socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")));
  socket.on("close", () => (closed = true));
  await new Promise<void>((resolve, reject) => {
    socket.once(secure ? "secureConnect" : "connect", () => resolve());
    socket.once("error", reject);
  });
  // A reset is an end like any other from here on; the test looks at what was received.
  socket.on("error", () => {});
  return {
    socket,
    received: () => received,
    isClosed: () => closed,
    send: (path) => void socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
  };
}

export interface Load {
  readonly succeeded: () => number;
  readonly failures: () => readonly string[];
  stop(): Promise<void>;
}

/** Clients that ask again and again, at most until the test ends: half of them keep their connections, half take a new one for each request. */
export function startLoad(t: TestContext, url: string, clients = 4): Load {
  const failures: string[] = [];
  let succeeded = 0;
  let running = true;
  t.after(() => (running = false));
  const client = async (keepAlive: boolean): Promise<void> => {
    const agent = keepAlive ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : false;
    while (running) {
      const failure = await ask(url, agent).then(
        ({ status }) => (status === 200 ? null : `status ${status}`),
        (error: NodeJS.ErrnoException) => `${keepAlive ? "keep-alive" : "new connection"}: ${error.code ?? ""} ${error.message}`,
      );
      if (failure === null) succeeded++;
      else failures.push(failure);
      await sleep(5);
    }
    if (agent !== false) agent.destroy();
  };
  const all = Array.from({ length: clients }, (_, index) => client(index % 2 === 0));
  return {
    succeeded: () => succeeded,
    failures: () => failures,
    stop: async () => {
      running = false;
      await Promise.all(all);
    },
  };
}
