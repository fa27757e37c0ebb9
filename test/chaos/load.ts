// Clients that know their connections: kept and new ones, short and slow answers, uploads. Nobody gives up: what is not answered is outstanding.
import http from "node:http";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Loss } from "./ledger.ts";

export interface Load {
  readonly answered: () => number;
  /** All losses so far. */
  readonly losses: () => readonly Loss[];
  /** Requests without an answer that were sent before that moment. */
  readonly outstanding: (before: number) => readonly string[];
  stop(): Promise<void>;
}

interface Kind {
  readonly name: string;
  readonly keepAlive: boolean;
  readonly path: string;
  readonly upload?: Buffer;
  readonly clients: number;
}

const UPLOAD = Buffer.alloc(32 * 1024, "rollcall");
const KINDS: readonly Kind[] = [
  { name: "keep-alive", keepAlive: true, path: "/", clients: 6 },
  { name: "new connections", keepAlive: false, path: "/", clients: 5 },
  { name: "keep-alive, slow", keepAlive: true, path: "/?ms=40", clients: 2 },
  { name: "new connections, slow", keepAlive: false, path: "/?ms=40", clients: 1 },
  { name: "keep-alive, uploads", keepAlive: true, path: "/echo", upload: UPLOAD, clients: 1 },
  { name: "new connections, uploads", keepAlive: false, path: "/echo", upload: UPLOAD, clients: 1 },
];
/** Between two requests of a client: this is chaos, not saturation. */
const PAUSE_MS = 10;

interface Use {
  readonly openedAt: number;
  lastSentAt: number;
}

interface Pending {
  readonly client: string;
  readonly sentAt: number;
  peer: string | null;
}

export function startLoad(t: TestContext, port: number): Load {
  const losses: Loss[] = [];
  const pending = new Set<Pending>();
  const uses = new WeakMap<Socket, Use>();
  let answered = 0;
  let running = true;
  t.after(() => (running = false));

  const request = (kind: Kind, localAddress: string, agent: http.Agent | false): Promise<void> =>
    new Promise((resolve) => {
      const sentAt = performance.now();
      const entry: Pending = { client: `${kind.name} from ${localAddress}`, sentAt, peer: null };
      pending.add(entry);
      let openedAt = sentAt;
      let previousAt: number | null = null;
      let isOver = false;
      const end = (why: string | null): void => {
        if (isOver) return;
        isOver = true;
        pending.delete(entry);
        if (why === null) answered++;
        else losses.push({ client: entry.client, peer: entry.peer, openedAt, previousAt, sentAt, lostAt: performance.now(), why });
        resolve();
      };
      const method = kind.upload === undefined ? "GET" : "POST";
      const sent = http.request({ host: "127.0.0.1", port, path: kind.path, method, localAddress, agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
        response.on("end", () => {
          const isWhole = kind.upload === undefined || Buffer.concat(chunks).equals(kind.upload);
          end(response.statusCode !== 200 ? `status ${response.statusCode}` : isWhole ? null : "not what was sent");
        });
      });
      sent.on("socket", (socket) => {
        const use = uses.get(socket);
        if (use === undefined) {
          uses.set(socket, { openedAt: sentAt, lastSentAt: sentAt });
        } else {
          openedAt = use.openedAt;
          previousAt = use.lastSentAt;
          use.lastSentAt = sentAt;
        }
        const note = (): void => {
          if (socket.localPort !== undefined) entry.peer = `${localAddress}:${socket.localPort}`;
        };
        // Now, because a connection may be reset before this process sees it connected; and then, because now may be too early.
        note();
        if (socket.connecting) socket.once("connect", note);
      });
      sent.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      sent.end(kind.upload);
    });

  const client = async (kind: Kind, localAddress: string): Promise<void> => {
    const agent = kind.keepAlive ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : false;
    while (running) {
      await request(kind, localAddress, agent);
      await sleep(PAUSE_MS);
    }
    if (agent !== false) agent.destroy();
  };
  // An address for each, so that what goes by the client's address spreads as well.
  const kinds = KINDS.flatMap((kind) => Array.from({ length: kind.clients }, () => kind));
  const all = kinds.map((kind, index) => client(kind, `127.0.0.${index + 2}`));
  return {
    answered: () => answered,
    losses: () => losses,
    outstanding: (before) => [...pending].filter(({ sentAt }) => sentAt < before).map(({ client: name, peer }) => `${name}, ${peer}`),
    stop: async () => {
      running = false;
      await Promise.all(all);
    },
  };
}
