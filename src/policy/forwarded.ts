// Which client a request comes from, by the X-Forwarded-For lines of its head: the n-th hop from the right, as the n proxies that are trusted wrote it.
// What stands further left came from outside and is never believed. Pure.

/** Node's own limit; whoever sends more is answered by the worker. */
export const HEAD_BYTES = 16_384;

const NAME = "x-forwarded-for:";

/**
 * Whether enough of a connection's first bytes is known to tell its client: the whole head of an HTTP/1 request, more than a head may be, or the
 * beginning of something else (TLS, another protocol), which has no such line.
 * @param text the first bytes, as latin1
 */
export function isDecided(text: string): boolean {
  const start = skipEmptyLines(text);
  if (start === text.length || text.slice(start) === "\r") return text.length >= HEAD_BYTES;
  // A method is a few letters, then a space.
  if (!/^[A-Za-z][A-Za-z-]{0,31}(?:$| )/.test(text.slice(start, start + 34))) return true;
  return text.length >= HEAD_BYTES || text.indexOf("\r\n\r\n", start) !== -1;
}

/** Whether the first byte is that of a TLS handshake: what comes cannot be read. */
export function isTls(text: string): boolean {
  return text.charCodeAt(0) === 0x16;
}

/**
 * @param text the first bytes of a connection, as latin1
 * @param hop 1 is what the proxy next to this service wrote; with fewer hops than that, the one furthest away
 * @returns the address of the hop, without a port; null where the head has none
 */
export function forwardedFor(text: string, hop: number): string | null {
  const start = skipEmptyLines(text);
  const end = text.indexOf("\r\n\r\n", start);
  // Without an end the last line may be cut off.
  const lines = text.slice(start, end === -1 ? text.lastIndexOf("\r\n") : end).split("\r\n");
  const hops = lines
    .slice(1)
    .filter((line) => line.slice(0, NAME.length).toLowerCase() === NAME)
    .flatMap((line) => line.slice(NAME.length).split(","))
    .map(withoutPort)
    .filter((each) => each !== "");
  return hops[Math.max(0, hops.length - hop)] ?? null;
}

/** Some proxies add the port, which differs with every connection: "192.0.2.1:4711", "[2001:db8::1]:4711". */
function withoutPort(raw: string): string {
  const hop = raw.trim().toLowerCase();
  const inBrackets = /^\[([^\]]*)\]/.exec(hop)?.[1];
  if (inBrackets !== undefined) return plainAddress(inBrackets);
  return plainAddress(hop.replace(/^([^:]*):\d+$/, "$1"));
}

/** An IPv4 client of a dual-stack socket is the same as one of an IPv4 socket. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

function skipEmptyLines(text: string): number {
  let start = 0;
  while (text.startsWith("\r\n", start)) start += 2;
  return start;
}
