// Requests on raw connections: no agent, no retries, every failure seen, and cheap enough to load a server from the harness itself.
import net from "node:net";

export interface Answer {
  readonly status: number;
  /** As they came, in their order, without the date. */
  readonly headers: readonly string[];
  readonly body: string;
  /** Of the whole answer on the wire. */
  readonly bytes: number;
}

export interface Connection {
  readonly socket: net.Socket;
  /** @throws when no whole answer comes within the deadline; one at a time */
  ask(path: string, deadlineMs: number): Promise<Answer>;
  close(): void;
}

export class Hung extends Error {}

export function connect(port: number, keepAlive: boolean): Connection {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  let received = "";
  let failure: Error | null = null;
  let wake: () => void = () => {};
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    received += chunk;
    wake();
  });
  socket.on("error", (error) => fail(error));
  socket.on("end", () => fail(new Error("the connection was closed before the answer was whole")));
  socket.on("close", () => fail(new Error("the connection was closed before the answer was whole")));
  function fail(error: Error): void {
    failure ??= error;
    wake();
  }
  return {
    socket,
    ask(path, deadlineMs) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Hung(`no answer within ${deadlineMs} ms`)), deadlineMs);
        wake = () => {
          const answer = parse(received);
          if (answer === null && failure === null) return;
          wake = () => {};
          clearTimeout(timer);
          if (answer === null) return reject(failure);
          received = received.slice(answer.bytes);
          resolve(answer);
        };
        socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n${keepAlive ? "" : "Connection: close\r\n"}\r\n`);
        wake();
      });
    },
    close: () => void socket.destroy(),
  };
}

/** One request on a connection of its own. */
export async function askOnce(port: number, path: string, deadlineMs: number): Promise<Answer> {
  const connection = connect(port, false);
  try {
    return await connection.ask(path, deadlineMs);
  } finally {
    connection.close();
  }
}

function parse(text: string): Answer | null {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return null;
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
  const bytes = end + 4 + length;
  if (text.length < bytes) return null;
  const [first, ...headers] = text.slice(0, end).split("\r\n");
  return {
    status: Number(first?.split(" ")[1]),
    headers: headers.filter((header) => !/^date:/i.test(header)),
    body: text.slice(end + 4, bytes),
    bytes,
  };
}
