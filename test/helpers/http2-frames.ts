// A client that speaks HTTP/2 in frames, without TLS: it knows which streams it has sent, and sends more until GOAWAY has come, as a busy client does.
// (Node's own client refuses by itself what it has queued when GOAWAY comes, so it cannot tell what a server loses.)
import net from "node:net";
import type { TestContext } from "node:test";

const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY] = [0, 1, 3, 4, 6, 7];
const [END_STREAM, ACK] = [0x1, 0x1];
/** GET / of http://localhost, in HPACK's static table. */
const REQUEST = Buffer.from([0x82, 0x86, 0x84, 0x41, 9, ...Buffer.from("localhost")]);

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export interface BusyClient {
  readonly sent: () => number;
  readonly answered: () => number;
  readonly refused: () => number;
  /** The last stream of each GOAWAY that came. */
  readonly goaways: () => readonly number[];
  readonly isClosed: () => boolean;
}

/** Keeps `depth` streams in flight. */
export function startBusyClient(t: TestContext, port: number, depth: number): BusyClient {
  const socket = net.connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const open = new Set<number>();
  const goaways: number[] = [];
  const counts = { sent: 0, answered: 0, refused: 0 };
  let closed = false;
  let rest: Buffer = Buffer.alloc(0);
  socket.on("error", () => {}).on("close", () => (closed = true));
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(SETTINGS as number, 0, 0)]));
  const fill = (): void => {
    while (goaways.length === 0 && open.size < depth && !closed) {
      const id = counts.sent++ * 2 + 1;
      open.add(id);
      socket.write(frame(HEADERS as number, END_STREAM | 0x4, id, REQUEST));
    }
  };
  const onFrame = (type: number, flags: number, stream: number, payload: Buffer): void => {
    if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0));
    if (type === PING && (flags & ACK) === 0) socket.write(frame(PING, ACK, 0, payload));
    if (type === GOAWAY) goaways.push(payload.readUInt32BE(0));
    if (type === RST_STREAM && open.delete(stream)) counts.refused++;
    if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0 && open.delete(stream)) counts.answered++;
  };
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      onFrame(rest.readUInt8(3), rest.readUInt8(4), rest.readUInt32BE(5), rest.subarray(9, end));
      rest = rest.subarray(end);
    }
    fill();
  });
  fill();
  return {
    sent: () => counts.sent,
    answered: () => counts.answered,
    refused: () => counts.refused,
    goaways: () => goaways,
    isClosed: () => closed,
  };
}
