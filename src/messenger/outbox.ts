// What waits to be written into a post pipe: frames packed into pages, one write at a time, bounded in bytes. Used on both sides of the pipe.
// Its one rule: a frame that does not fit is refused, never kept elsewhere; what is refused costs nobody anything.

const PAGE_BYTES = 64 * 1024;
/** How much one write takes along at most. */
const WRITE_BYTES: number = 1024 * 1024;
/** Of what the outbox, or all together, may hold: from here on it is time that who writes rests; and until here. */
const CROWDED = 1 / 2;
const EASED = 1 / 8;

/** What an outbox needs of a stream. */
export interface Sink {
  readonly destroyed: boolean;
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array, callback: () => void): boolean;
}

/** What several outboxes hold together. */
export interface Pool {
  bytes: number;
  readonly limitBytes: number;
}

interface Page {
  readonly buffer: Buffer;
  /** Parts that are not written yet. */
  unwritten: number;
  /** Nothing more comes into it. */
  isFull: boolean;
}

interface Part {
  readonly bytes: Buffer;
  /** Null for a frame of its own. */
  readonly page: Page | null;
}

/** Pages that can be used again: what is allocated outside of the heap is collected at a price, up to 100 ms of a busy master's. */
const freePages: Buffer[] = [];
const MOST_FREE_PAGES = 16;

export class Outbox {
  readonly #sink: Sink;
  readonly #limitBytes: number;
  readonly #pool: Pool;
  readonly #onTaken: () => void;
  /** In order. */
  #waiting: Part[] = [];
  #page: Page | null = null;
  /** The part of the page that is filled but not handed to a write yet. */
  #start = 0;
  #end = 0;
  #bytes = 0;
  /** Bytes of all that was ever taken. */
  #taken = 0;
  /** In order: who waits until so many bytes of what was taken are written. */
  #waiters: { readonly taken: number; resolve(): void }[] = [];
  #isWriting = false;
  #isDiscarded = false;

  /** @param onTaken the receiver has taken what one write brought */
  constructor(
    sink: Sink,
    limitBytes: number,
    pool: Pool = { bytes: 0, limitBytes: Number.POSITIVE_INFINITY },
    onTaken: () => void = ignore,
  ) {
    this.#sink = sink;
    this.#limitBytes = limitBytes;
    this.#pool = pool;
    this.#onTaken = onTaken;
  }

  /** Bytes that are not written yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** It will be full soon. */
  get isCrowded(): boolean {
    return this.#bytes > this.#limitBytes * CROWDED || this.#isInCrowd;
  }

  /** There is room again for much that comes at once. */
  get isEased(): boolean {
    return this.#bytes <= this.#limitBytes * EASED && !this.#isInCrowd;
  }

  /** All together are crowded, and what is here is more than what one read brings. */
  get #isInCrowd(): boolean {
    return this.#bytes > PAGE_BYTES && this.#pool.bytes > this.#pool.limitBytes * CROWDED;
  }

  /** Takes a copy of the frame; `flush` sends it. An empty outbox takes any frame, and where little waits only the pool counts. @returns false when it is full */
  push(frame: Buffer): boolean {
    const { length } = frame;
    if (this.#isDiscarded) return false;
    const isFull = this.#bytes > this.#limitBytes * EASED && this.#bytes + length > this.#limitBytes;
    if (this.#bytes > 0 && (isFull || this.#pool.bytes + length > this.#pool.limitBytes)) return false;
    this.#bytes += length;
    this.#taken += length;
    this.#pool.bytes += length;
    if (length > PAGE_BYTES / 4) {
      this.#closePart();
      this.#waiting.push({ bytes: Buffer.from(frame), page: null });
      return true;
    }
    if (this.#page === null || length > PAGE_BYTES - this.#end) this.#page = this.#turnPage();
    this.#end += frame.copy(this.#page.buffer, this.#end);
    return true;
  }

  /** Writes what there is, unless a write is under way: then that goes on with it. */
  flush(): void {
    if (this.#isWriting || this.#bytes === 0 || this.#sink.destroyed) return;
    this.#isWriting = true;
    const batch = this.#takeBatch();
    const size = batch.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const done = (): void => {
      this.#isWriting = false;
      if (this.#isDiscarded) return;
      for (const { page } of batch) {
        if (page === null) continue;
        page.unwritten--;
        recycle(page);
      }
      this.#bytes -= size;
      this.#pool.bytes -= size;
      this.#wake();
      this.flush();
      this.#onTaken();
    };
    this.#sink.cork();
    for (const [index, { bytes }] of batch.entries()) this.#sink.write(bytes, index === batch.length - 1 ? done : ignore);
    this.#sink.uncork();
  }

  /** Resolves when all that has been taken until now is written, or will never be. */
  written(): Promise<void> {
    if (this.#bytes === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#waiters.push({ taken: this.#taken, resolve }));
  }

  #wake(): void {
    const left = this.#waiters.findIndex(({ taken }) => taken > this.#taken - this.#bytes);
    for (const { resolve } of this.#waiters.splice(0, left === -1 ? this.#waiters.length : left)) resolve();
  }

  /** The receiver is gone: what was not written will not be. */
  discard(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    this.#pool.bytes -= this.#bytes;
    this.#bytes = 0;
    this.#wake();
    this.#waiting = [];
    this.#page = null;
    this.#start = 0;
    this.#end = 0;
  }

  /** What is in the page and in no write yet goes to the queue. */
  #closePart(): void {
    const page = this.#page;
    if (page === null || this.#end === this.#start) return;
    page.unwritten++;
    this.#waiting.push({ bytes: page.buffer.subarray(this.#start, this.#end), page });
    this.#start = this.#end;
  }

  #turnPage(): Page {
    this.#closePart();
    if (this.#page !== null) {
      this.#page.isFull = true;
      recycle(this.#page);
    }
    this.#start = 0;
    this.#end = 0;
    return { buffer: freePages.pop() ?? Buffer.allocUnsafeSlow(PAGE_BYTES), unwritten: 0, isFull: false };
  }

  #takeBatch(): readonly Part[] {
    let size = 0;
    let count = 0;
    for (const { bytes } of this.#waiting) {
      if (count > 0 && size + bytes.length > WRITE_BYTES) break;
      size += bytes.length;
      count++;
    }
    const batch = this.#waiting.splice(0, count);
    if (this.#waiting.length > 0) return batch;
    // The page goes on to be filled behind what is being written.
    this.#closePart();
    return [...batch, ...this.#waiting.splice(0)];
  }
}

function recycle(page: Page): void {
  if (page.isFull && page.unwritten === 0 && freePages.length < MOST_FREE_PAGES) freePages.push(page.buffer);
}

function ignore(): void {}
