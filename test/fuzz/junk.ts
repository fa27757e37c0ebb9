// Junk for the ports of a master, by chance: bytes, halves, and what is almost right.
import type { Chance } from "../helpers/seed.ts";

const PATHS = ["/live", "/ready", "/health", "/metrics", "/status", "/", "/../etc/passwd", "/%00", "*", `/${"x".repeat(9_000)}`, "live"];
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PRI", "get", "\0"];
const HEADERS = [
  "Host: x",
  "Connection: close",
  "Connection: upgrade\r\nUpgrade: websocket",
  "Content-Length: 10",
  "Content-Length: -1",
  "Content-Length: 99999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked\r\nContent-Length: 3",
  "Expect: 100-continue",
  "Accept: application/openmetrics-text",
  "Accept-Encoding: gzip, br",
  `X-Long: ${"y".repeat(9_000)}`,
  "No colon",
  ": no name",
  "X: \x01\x7f",
];

export function bytes({ below }: Chance, most: number): Buffer {
  return Buffer.from(Array.from({ length: below(most) }, () => below(256)));
}

/** One or more requests, whole or cut, with a body that may not fit. */
export function httpJunk(chance: Chance): Buffer {
  const { below, pick } = chance;
  if (below(6) === 0) return bytes(chance, 3_000);
  const one = (): string => {
    const headers = Array.from({ length: below(5) }, () => pick(HEADERS)).join("\r\n");
    const version = pick(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9"]);
    const body = pick(["", "", "3\r\nabc\r\n0\r\n\r\n", "ffffffffff\r\n", "z\r\n"]);
    return `${pick(METHODS)} ${pick(PATHS)} ${version}\r\n${headers === "" ? "" : `${headers}\r\n`}\r\n${body}`;
  };
  const text = Array.from({ length: pick([1, 1, 1, 2, 10, 300]) }, one).join("");
  return Buffer.from(below(4) === 0 ? text.slice(0, below(text.length)) : text, "latin1");
}

const SCALARS = [null, true, false, 0, -1, 1.5, 1e308, "", "1", "x", [], {}, "status"] as const;

/** A line for the control socket: junk, or an order with something wrong in it. None stops the service. */
export function controlJunk(chance: Chance): Buffer {
  const { below, pick } = chance;
  if (below(6) === 0) return bytes(chance, 2_000);
  const order: Record<string, unknown> = { rollcall: pick([1, 1, 1, 1, 2, "1", null]) };
  order.command = pick(["status", "reload", "scale", "restart", "drain", "undrain", "explode", ...SCALARS]);
  if (below(2) === 0) order.workers = pick([1, 2, 3, ...SCALARS]);
  if (below(3) === 0) order.change = pick(SCALARS);
  if (below(3) === 0) order.agent = pick(SCALARS);
  if (below(3) === 0) order.role = pick(["agent", "worker", ...SCALARS]);
  if (below(3) === 0) order.slot = pick([0, 1, 7, ...SCALARS]);
  if (below(20) === 0) order.more = "x".repeat(70_000);
  const line = `${JSON.stringify(order)}${pick(["\n", "\n", "\n", "", "\r\n", "\n\n", "\n{}\n"])}`;
  return Buffer.from(below(6) === 0 ? line.slice(0, below(line.length)) : line);
}
