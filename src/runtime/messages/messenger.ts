// The messenger as the app has it: letters by action, and questions with an answer. Runs in a child, and under plain `node` by itself.
// Its one rule: a listener that throws costs that letter alone; the error is the process's, as from any other listener.
import { EventEmitter } from "node:events";
import {
  type Destination,
  type Endpoint,
  type Envelope,
  encodingOf,
  envelopeOf,
  fromOf,
  type Kind,
  senderOf,
  writeFrame,
} from "../../messenger/frame.ts";
import { isUnreadable, readBody, writeBody } from "../../messenger/letter.ts";
import type { Role } from "../../policy/life.ts";
import { EarlyLetters } from "./early-letters.ts";
import { closeSendable, type Sendable } from "./handles.ts";
import { Questions, reasonOf } from "./questions.ts";
import { type AskTarget, toAddress, toPid, toTimeout } from "./targets.ts";

export interface LetterInfo {
  /** What it comes from: "agent", "app" (a worker), "master" or "parent". */
  readonly from: Endpoint;
  /** The process that it comes from; null for the master and the parent. */
  readonly pid: number | null;
  /** The socket (paused: listen, then resume) or the server that came with it. */
  readonly handle?: Sendable;
}

/** What was sent is up to the sender; the listener says what it expects. */
// biome-ignore lint/suspicious/noExplicitAny: a listener for one kind of data is one for letters, whose data nobody can know here
export type LetterListener = (data: any, info: LetterInfo) => unknown;
/** Its result, awaited, is the answer. */
export type QuestionHandler = LetterListener;

interface Parts {
  readonly role: Role;
  /** Memory for a frame, until `send` returns. */
  readonly room?: (bytes: number) => Buffer;
  /** @returns false when there is no room for it */
  send(frame: Buffer, sendable?: Sendable): boolean;
  /** Resolves when what was sent until now is out of this process. */
  flushed(): Promise<void>;
  /** The app's listeners for `process.on("message")`. */
  hasRawListeners(): boolean;
  emitRaw(frame: Buffer, sendable: Sendable | undefined): void;
}

interface Outgoing extends Envelope {
  readonly data: unknown;
}

const ASK_TIMEOUT_MS = 5_000;

export class Messenger {
  readonly #parts: Parts;
  /** By kind and action: an action may be called "error". */
  readonly #listeners: EventEmitter = new EventEmitter().setMaxListeners(0);
  readonly #handlers: Map<string, QuestionHandler> = new Map();
  readonly #questions: Questions = new Questions();
  readonly #early: EarlyLetters = new EarlyLetters((frame) => this.#take(frame));
  #hearsMaster = false;

  /** Not for apps, which find theirs in `rollcall/app`. */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Sends to the agent and to every worker, this process included. @returns false when it was dropped because too much waits to be sent already: see `flushed` */
  broadcast(action: string, data?: unknown): boolean {
    return this.#send("everybody", action, data);
  }

  /** Sends to one process. A socket that goes along is that process's from then on; of a server that goes along both are. */
  sendTo(pid: number | string, action: string, data?: unknown, handle?: Sendable): boolean {
    return this.#send("usual", action, data, toPid(pid), handle);
  }

  /** The agent sends to one ready worker, whichever; a worker sends to the agent. */
  sendRandom(action: string, data?: unknown, handle?: Sendable): boolean {
    return this.#send(this.#parts.role === "agent" ? "any-app" : "agent", action, data, 0, handle);
  }

  /** Sends to every worker. A server can go along; a socket would be the first worker's. */
  sendToApp(action: string, data?: unknown, handle?: Sendable): boolean {
    return this.#send("app", action, data, 0, handle);
  }

  sendToAgent(action: string, data?: unknown, handle?: Sendable): boolean {
    return this.#send("agent", action, data, 0, handle);
  }

  /** Sends to the program that started the master, if it listens. It gets what JSON can hold. */
  sendToParent(action: string, data?: unknown): boolean {
    return this.#send("parent", action, data);
  }

  /**
   * Resolves when all that this process has sent until now is on its way: at once, or when those who read more slowly have caught up. For who sends much, or
   * ends the process next. Messages with a handle are not waited for.
   */
  flushed(): Promise<void> {
    return this.#parts.flushed();
  }

  /** Calls the listener with the data of every letter with this action. */
  on(action: string, listener: LetterListener): this {
    this.#listeners.on(toKey(action, listener), listener);
    this.#early.heard(action);
    return this;
  }

  once(action: string, listener: LetterListener): this {
    this.#listeners.once(toKey(action, listener), listener);
    this.#early.heard(action);
    return this;
  }

  off(action: string, listener: LetterListener): this {
    this.#listeners.off(toKey(action, listener), listener);
    return this;
  }

  /**
   * Asks, and resolves with what the other side's `onAsk` handler gives.
   * @param options.timeout milliseconds; 5,000 unless given
   * Whatever is wrong, it rejects and never throws.
   * @throws (rejects) an error with code `ERR_ASK_TIMEOUT`, or `ERR_ASK_REFUSED`: nobody is there, nobody handles the action, the handler
   * failed, or the process that was asked ended before it answered
   * @throws (rejects) TypeError or RangeError for a target, a timeout or data that cannot be
   */
  async ask<Answer = unknown>(to: AskTarget, action: string, data?: unknown, options?: { readonly timeout?: number }): Promise<Answer> {
    const { timeout = ASK_TIMEOUT_MS } = options ?? {};
    const address = toAddress(to);
    const { id, answer } = this.#questions.open(`ask(${JSON.stringify(to)}, ${JSON.stringify(action)})`, toTimeout(timeout));
    try {
      const isSent = this.#write({ ...address, kind: "question", action, data, question: id });
      if (!isSent) this.#questions.refuse(id, "too much waits to be sent already");
    } catch (error) {
      this.#questions.withdraw(id);
      throw error;
    }
    return (await answer) as Answer;
  }

  /**
   * Answers questions with this action. One handler for each.
   * @returns a function that takes the handler back
   */
  onAsk(action: string, handler: QuestionHandler): () => void {
    if (typeof handler !== "function") throw new TypeError(`onAsk(action, handler): expected a function, got ${typeof handler}`);
    if (this.#handlers.has(action)) throw new Error(`onAsk: "${action}" has a handler already; take it back first`);
    this.#handlers.set(action, handler);
    this.#early.heard(action);
    return () => {
      if (this.#handlers.get(action) === handler) this.#handlers.delete(action);
    };
  }

  /** @internal The app knows of the messenger: what the master says is for its listeners too. */
  hearMaster(): this {
    this.#hearsMaster = true;
    return this;
  }

  /** @internal */
  get hearsMaster(): boolean {
    return this.#hearsMaster;
  }

  /** @internal Somebody waits for letters, for questions, or for messages on `process`. */
  get hasListeners(): boolean {
    return this.#listeners.eventNames().length > 0 || this.#handlers.size > 0 || this.#parts.hasRawListeners();
  }

  /** @internal The process is ready: what nobody has listened for until now is not kept any longer. */
  booted(): void {
    this.#early.end();
  }

  /** @internal The app listens to `process.on("message")`. */
  heardRaw(): void {
    this.#early.heard(null);
  }

  /** @internal A letter has come. Its memory may be a part of something larger. */
  receive(frame: Buffer, handle?: Sendable): void {
    const { kind, action } = envelopeOf(frame);
    if (handle !== undefined && !this.#isHeard(kind, action)) return closeSendable(handle);
    if (kind === "answer" || kind === "refusal") return this.#take(frame, handle);
    if (this.#isHeard(kind, action)) {
      this.#early.release(action);
      this.#take(frame, handle);
    } else if (!this.#early.keep(kind, action, frame)) this.#take(frame);
  }

  #isHeard(kind: Kind, action: string): boolean {
    if (kind === "question") return this.#handlers.has(action);
    return (kind === "letter" && this.#listeners.listenerCount(keyOf(action)) > 0) || this.#parts.hasRawListeners();
  }

  #take(frame: Buffer, handle?: Sendable): void {
    try {
      this.#dispatch(frame, handle);
    } catch (error) {
      if (isUnreadable(error)) return this.#passOver(frame, handle, error);
      process.nextTick(() => {
        throw error;
      });
    }
  }

  /** Its sender has made something that nobody can read: that costs the message alone. */
  #passOver(frame: Buffer, handle: Sendable | undefined, error: Error): void {
    const { kind, action, question } = envelopeOf(frame);
    if (handle !== undefined) closeSendable(handle);
    if (kind === "answer" || kind === "refusal") this.#questions.refuse(question, error.message);
    else process.emitWarning(`messenger: ${JSON.stringify(action)} is dropped: ${error.message}`, { code: "ROLLCALL_UNREADABLE" });
  }

  #dispatch(frame: Buffer, handle: Sendable | undefined): void {
    const { kind, action, question } = envelopeOf(frame);
    switch (kind) {
      case "question":
        return void this.#answer(frame, action, question);
      case "answer":
        return this.#questions.answer(question, readBody(frame));
      case "refusal":
        return this.#questions.refuse(question, String(readBody(frame)));
      case "letter":
        if (this.#listeners.listenerCount(keyOf(action)) > 0) this.#emit(frame, action, handle);
        break;
      case "foreign":
        break;
      default:
        kind satisfies never;
    }
    if (this.#parts.hasRawListeners() && (this.#hearsMaster || fromOf(frame) !== "master")) this.#parts.emitRaw(frame, handle);
  }

  #emit(frame: Buffer, action: string, handle: Sendable | undefined): void {
    const info = handle === undefined ? infoOf(frame) : { ...infoOf(frame), handle };
    // Each listener has data of its own to change, and an error of one is not the next one's.
    const listeners = this.#listeners.rawListeners(keyOf(action));
    const data = readBody(frame);
    for (const [index, listener] of listeners.entries()) {
      try {
        listener.call(this, index === 0 || encodingOf(frame) === "none" ? data : readBody(frame), info);
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  async #answer(frame: Buffer, action: string, question: number): Promise<void> {
    const receiver = senderOf(frame);
    const handler = this.#handlers.get(action);
    const reply = (kind: Kind, data: unknown): boolean => this.#write({ to: "usual", kind, action, data, receiver, question });
    try {
      if (handler === undefined) throw new Error(`it has no onAsk handler for "${action}"`);
      reply("answer", await handler.call(this, readBody(frame), infoOf(frame)));
    } catch (error) {
      reply("refusal", reasonOf(error));
    }
  }

  #send(to: Destination, action: string, data: unknown, receiver = 0, handle?: Sendable): boolean {
    return this.#write({ to, kind: "letter", action, data, receiver, question: 0 }, handle);
  }

  #write({ data, ...envelope }: Outgoing, handle?: Sendable): boolean {
    if (typeof envelope.action !== "string")
      throw new TypeError(`messenger: expected an action that is a string, got ${typeof envelope.action}`);
    // The parent may be any program: it reads JSON.
    const body = writeBody(data, envelope.to === "parent" ? "json" : "v8");
    return this.#parts.send(writeFrame(envelope, ...body, this.#parts.room), handle);
  }
}

function infoOf(frame: Buffer): LetterInfo {
  return { from: fromOf(frame), pid: senderOf(frame) || null };
}

function keyOf(action: string): string {
  return `action ${action}`;
}

function toKey(action: string, listener: unknown): string {
  if (typeof listener !== "function") throw new TypeError(`messenger: expected a listener that is a function, got ${typeof listener}`);
  return keyOf(action);
}
