// Free ports for tests that run side by side: each test process has a range of its own, below the ephemeral ports.
import net from "node:net";

const FIRST = 10_000;
const PER_PROCESS = 60;
const PROCESSES = 350;

let next = 0;

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PER_PROCESS; tries++) {
    const port = FIRST + (process.pid % PROCESSES) * PER_PROCESS + (next++ % PER_PROCESS);
    if ((await isFree(port, "0.0.0.0")) && (await isFree(port, "::"))) return port;
  }
  throw new Error("no free port in this test process's range");
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EAFNOSUPPORT" || error.code === "EADDRNOTAVAIL"));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
