// Asks this very worker, whatever its siblings on the same port do: one request over a pipe in memory, by the HTTP that its server speaks. Runs in a worker.
import type { Server, Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { isSecure, speaksHttp2 } from "../traffic/connection.ts";

interface Asked {
  readonly path: string;
  readonly socket: Duplex;
  readonly isSecure: boolean;
  readonly onStatus: (status: number) => void;
  /** The whole answer has come. */
  readonly onEnd: () => void;
  readonly onError: (error: Error) => void;
}

/**
 * @param path such as "/healthz"
 * @param timeoutMs after it the request counts as failed
 * @returns the status code
 */
export function probeServer(server: Server, path: string, timeoutMs: number): Promise<number> {
  const [near, far] = duplexPair();
  const isHttp2 = speaksHttp2(server);
  const manners = isSecure(server) ? { encrypted: true, alpnProtocol: isHttp2 ? "h2" : "http/1.1" } : {};
  server.emit(isSecure(server) ? "secureConnection" : "connection", asSocket(far, manners));
  let status: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  return new Promise<number>((resolve, onError) => {
    const onEnd = (): void => (status === null ? onError(new Error(`no answer within ${timeoutMs} ms`)) : resolve(status));
    // Not the request's own time-out, which is its socket's: this one has none. The rest of an answer need not come.
    timer = setTimeout(onEnd, timeoutMs);
    const onStatus = (heard: number): void => {
      status = heard;
    };
    const asked = { path, socket: asSocket(near, {}), isSecure: isSecure(server), onStatus, onEnd, onError };
    if (isHttp2) askByHttp2(asked);
    else askByHttp1(asked);
  }).finally(() => {
    clearTimeout(timer);
    // Both ends: on Node 22 the one does not hear of the other's.
    near.destroy();
    far.destroy();
  });
}

function askByHttp1({ path, socket, onStatus, onEnd, onError }: Asked): void {
  // Not by `import`: that evaluates all of http's exports, WebSocket among them, which loads undici into every worker (30 ms, 7 MiB).
  const { get } = process.getBuiltinModule("node:http");
  get({ path, host: "localhost", headers: { connection: "close" }, createConnection: () => socket }, (response) => {
    onStatus(response.statusCode ?? 0);
    response.resume().once("close", onEnd);
  }).on("error", onError);
}

function askByHttp2({ path, socket, isSecure, onStatus, onEnd, onError }: Asked): void {
  const { connect } = process.getBuiltinModule("node:http2");
  const session = connect(`${isSecure ? "https" : "http"}://localhost`, { createConnection: () => socket }).on("error", onError);
  session
    .request({ ":path": path })
    .on("error", onError)
    .on("response", (headers) => onStatus(Number(headers[":status"])))
    .on("close", () => {
      session.destroy();
      onEnd();
    })
    .resume();
}

/** http works on any duplex stream, but asks it for a few manners of a socket. */
function asSocket(stream: Duplex, more: object): Socket {
  const manners = {
    setTimeout: () => stream,
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
    remoteAddress: "127.0.0.1",
  };
  return Object.assign(stream, manners, more) as unknown as Socket;
}
