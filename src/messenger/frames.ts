// Takes the stream of an IPC channel apart into messages, in either of Node's two serializations. Pure but for V8's own deserializer.
// Its one rule: no bytes, whatever they are, throw or are kept beyond the bound; what is no message is told of and passed over.
import { DefaultDeserializer } from "node:v8";

export interface FrameReader {
  /** Takes what was read, and calls back for every message that it completes. */
  push(bytes: Buffer): void;
}

export interface FrameListener {
  onMessage(message: unknown): void;
  /** In words: what came instead of a message. */
  onJunk(problem: string): void;
}

const NEWLINE = 10;
const HEADER_BYTES = 4;

/** A piece costs more than its bytes where they are few. */
const SMALL_BYTES = 4_096;

/** Adds a piece; small ones become one, so that what is written byte by byte costs little more than its bytes. */
function keepIn(kept: Buffer[], bytes: Buffer): void {
  let last = bytes;
  for (let before = kept.at(-1); before !== undefined && last.length < SMALL_BYTES && before.length <= last.length; before = kept.at(-1)) {
    kept.pop();
    // In memory of its own: a part of a pool would keep the whole of it.
    const joined = Buffer.allocUnsafeSlow(before.length + last.length);
    joined.set(before);
    joined.set(last, before.length);
    last = joined;
  }
  kept.push(last);
}

/** `json`: a message is a line. */
export function lineReader(maxBytes: number, { onMessage, onJunk }: FrameListener): FrameReader {
  let kept: Buffer[] = [];
  let size = 0;
  let isSkipping = false;

  function keep(bytes: Buffer): void {
    if (isSkipping || bytes.length === 0) return;
    size += bytes.length;
    if (size <= maxBytes) return keepIn(kept, bytes);
    isSkipping = true;
    kept = [];
    onJunk(`a message of more than ${maxBytes} bytes`);
  }

  function complete(): void {
    const line = isSkipping ? null : Buffer.concat(kept).toString();
    kept = [];
    size = 0;
    isSkipping = false;
    if (line === null || line === "") return;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      return onJunk("a line that is no JSON");
    }
    onMessage(message);
  }

  return {
    push(bytes) {
      let from = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
        keep(bytes.subarray(from, end));
        complete();
        from = end + 1;
      }
      // A copy: the memory of what was read may be the system's to use again.
      keep(Buffer.from(bytes.subarray(from)));
    },
  };
}

/** `advanced`: four bytes of length, then what V8 has serialized. */
export function lengthReader(maxBytes: number, { onMessage, onJunk }: FrameListener): FrameReader {
  let kept: Buffer[] = [];
  let size = 0;
  let skipBytes = 0;

  /** Takes exactly so many bytes out of what is kept. */
  function take(bytes: number): Buffer {
    const all = kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept);
    kept = all.length === bytes ? [] : [all.subarray(bytes)];
    size = all.length - bytes;
    return all.subarray(0, bytes);
  }

  let wanted: number | null = null;

  function next(): boolean {
    if (wanted === null) {
      if (size < HEADER_BYTES) return false;
      wanted = take(HEADER_BYTES).readUInt32BE(0);
      if (wanted > maxBytes) {
        onJunk(`a message of ${wanted} bytes, which is more than ${maxBytes}`);
        skipBytes = wanted;
        wanted = null;
        const rest = kept;
        kept = [];
        size = 0;
        for (const each of rest) add(each);
        return true;
      }
    }
    if (size < wanted) return false;
    const frame = take(wanted);
    wanted = null;
    let message: unknown;
    try {
      message = deserialize(frame);
    } catch {
      onJunk("bytes that V8 did not serialize");
      return true;
    }
    onMessage(message);
    return true;
  }

  function add(bytes: Buffer): void {
    const skipped = Math.min(skipBytes, bytes.length);
    skipBytes -= skipped;
    if (skipped === bytes.length) return;
    keepIn(kept, bytes.subarray(skipped));
    size += bytes.length - skipped;
  }

  return {
    push(bytes) {
      const skipped = Math.min(skipBytes, bytes.length);
      skipBytes -= skipped;
      // A copy, as above.
      add(Buffer.from(bytes.subarray(skipped)));
      while (next()) {}
    },
  };
}

/** Node marks Buffers, which V8 leaves to its host, by a tag before each host object. */
class ChannelDeserializer extends DefaultDeserializer {
  _readHostObject(): unknown {
    const tag = this.readUint32();
    if (tag === 0) return (DefaultDeserializer.prototype as unknown as { _readHostObject(): unknown })._readHostObject.call(this);
    return this.readValue();
  }
}

function deserialize(frame: Buffer): unknown {
  const deserializer = new ChannelDeserializer(frame);
  deserializer.readHeader();
  return deserializer.readValue();
}
