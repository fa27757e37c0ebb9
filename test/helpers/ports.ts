// Free ports for tests that run side by side: each test process has a range of its own, below the ephemeral ports, and what it was given nobody else is
// given for as long as it lives: pids, and with them ranges, come again.
import net from "node:net";

/** Beyond 10080, the last of the ports that fetch() does not ask. */
const FIRST = 10_100;
const PER_PROCESS = 60;
const PROCESSES = 350;

let next = 0;
const reserved = new Set<number>();

/** A port that nobody listens on now, and that no other test process is given. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PER_PROCESS * 3; tries++) {
    // The range of the neighbour, once one's own is used up or in use.
    const range = (process.pid + Math.floor(tries / PER_PROCESS)) % PROCESSES;
    const port = FIRST + range * PER_PROCESS + (next++ % PER_PROCESS);
    if ((reserved.has(port) || (await reserve(port))) && (await isFree(port, "0.0.0.0")) && (await isFree(port, "::"))) return port;
  }
  throw new Error("no free port in this test process's range");
}

/** By an abstract socket, which goes with this process. */
function reserve(port: number): Promise<boolean> {
  if (process.platform !== "linux") return Promise.resolve(true);
  return new Promise((resolve) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once("error", () => resolve(false));
    server.listen({ path: `\0rollcall-test-port-${port}`, exclusive: true }, () => {
      server.unref();
      reserved.add(port);
      resolve(true);
    });
  });
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EAFNOSUPPORT" || error.code === "EADDRNOTAVAIL"));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The first of so many free ports in a row. */
export async function freeRow(length: number): Promise<number> {
  let row: number[] = [];
  while (row.length < length) {
    const port = await freePort();
    row = row.length > 0 && port === (row.at(-1) as number) + 1 ? [...row, port] : [port];
  }
  return row[0] as number;
}
