// The post: takes letters from the children's post pipes and from the parent, stamps them with who they really come from, and hands them on.
// Bodies are not looked into. What cannot be handed on is dropped and counted, never thrown; a child that reads nothing costs others a moment.
// In the master.
import type { Line } from "../../log.ts";
import { Crowd } from "../../messenger/crowd.ts";
import { ENDPOINTS, type Endpoint, type Envelope, envelopeOf, FrameReader, stamp } from "../../messenger/frame.ts";
import type { Handed } from "../../messenger/handed.ts";
import { isMasterAction, type Letter, RELOAD_ACTION, readLetter, readRawLetter, writeLetter } from "../../messenger/letter.ts";
import { Outbox, type Pool } from "../../messenger/outbox.ts";
import { type Notice, notices } from "../../messenger/presence.ts";
import { forMaster, type Receivers, route } from "../../messenger/router.ts";
import { Turnstile } from "../../messenger/turnstile.ts";
import type { Order } from "../../policy/events.ts";
import { findLife } from "../../policy/select.ts";
import type { State } from "../../policy/state.ts";
import type { Children } from "../../process/children.ts";
import type { Place } from "../../process/launch.ts";
import type { OpenPipe } from "../../process/post-pipe.ts";
import type { TcpHandle } from "../../sockets/internals.ts";
import type { World } from "../../system/world.ts";
import { type DropReason, PostLosses } from "./losses.ts";
import { Questions } from "./questions.ts";
import { endpointOf, nameOf, type PostSeat } from "./seat.ts";

/** What may wait for one child, and for all together: the master's share of the container's memory is 64 MiB. */
const OUTBOX_BYTES: number = 8 * 1024 * 1024;
const POOL_BYTES: number = 24 * 1024 * 1024;
/** What a letter costs beside its bytes, as bytes of a turn. */
const LETTER_WEIGHT = 60;
/** How long what a dead child has written is waited for. */
const LAST_WORDS_MS = 1_000;

/** The program that spawned the master over an IPC channel. */
export interface ParentEnd {
  /** @returns why it does not get it */
  deliver(letter: Letter): "absent" | "full" | null;
  /** Its next letters wait in its own process. */
  pause(): void;
  resume(): void;
}

export interface PostCounts {
  /** Letters handed to a process, by "from to". */
  readonly sent: ReadonlyMap<`${Endpoint} ${Endpoint}`, number>;
  readonly dropped: ReadonlyMap<DropReason, number>;
}

interface Parts {
  readonly world: Pick<World, "random" | "startTimer">;
  order(order: Order): void;
  write(line: Line): void;
  readonly children: Pick<Children, "hand" | "giveUp">;
  /** What `egg-ready` says. */
  ready(): unknown;
}

export class Post {
  readonly #parts: Parts;
  readonly #seats: Map<number, PostSeat> = new Map();
  readonly #pool: Pool = { bytes: 0, limitBytes: POOL_BYTES };
  readonly #turnstile: Turnstile = new Turnstile();
  readonly #sent: Map<`${Endpoint} ${Endpoint}`, number> = new Map();
  readonly #crowd: Crowd;
  readonly #losses: PostLosses;
  readonly #questions: Questions = new Questions(this.#seats);
  #parent: ParentEnd | null = null;
  #state: State | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#crowd = new Crowd(parts.world, this.#turnstile);
    this.#losses = new PostLosses(parts);
    for (const from of ENDPOINTS)
      for (const to of ENDPOINTS) if (from !== to || from === "agent" || from === "app") this.#sent.set(`${from} ${to}`, 0);
  }

  get counts(): PostCounts {
    return { sent: this.#sent, dropped: this.#losses.counts };
  }

  connectParent(parent: ParentEnd): void {
    this.#parent = parent;
  }

  /** What the parent wrote, in egg's form; anything else is dropped. */
  fromParent(raw: unknown): void {
    const letter = readRawLetter(typeof raw === "string" ? { action: raw, data: raw } : raw);
    if (letter === null) return this.#losses.count("malformed", "the parent");
    this.#write(() => this.#take(writeLetter(letter, "v8"), "parent", null));
  }

  /** The parent has brought so much work, in bytes of a turn. */
  parentRead(weight: number): void {
    if (this.#parent !== null) this.#turnstile.count(this.#parent, weight);
  }

  /** A child has been forked; the pipe is its post. */
  join(life: number, place: Place, pid: number, open: OpenPipe): void {
    const { role } = place;
    const who = nameOf(place);
    const socket = open((bytes) => this.#read(reader, seat, bytes));
    const outbox = new Outbox(socket, OUTBOX_BYTES, this.#pool, () => this.#crowd.took(outbox));
    const seat: PostSeat = { life, role, pid, who, socket, outbox, isReady: false };
    this.#seats.set(life, seat);
    const from = endpointOf(role);
    const reader = new FrameReader((frame) => this.#take(frame, from, seat));
    socket.on("error", ignore);
    socket.once("close", () => {
      this.leave(life);
      this.#questions.ended(seat);
    });
  }

  #read(reader: FrameReader, { life, who, socket }: PostSeat, bytes: Buffer): void {
    if (!reader.push(bytes)) {
      this.#losses.count("malformed", who);
      socket.destroy();
      this.#parts.children.giveUp(life);
    }
    for (const each of this.#seats.values()) each.outbox.flush();
    this.#turnstile.count(socket, bytes.length);
  }

  /** A child has ended. What it had written last is still read. */
  leave(life: number): void {
    const seat = this.#seats.get(life);
    if (seat === undefined) return;
    this.#seats.delete(life);
    seat.outbox.discard();
    this.#crowd.forget(seat.socket, seat.outbox);
    // A grandchild that has inherited the pipe would keep it open.
    const timer = setTimeout(() => seat.socket.destroy(), LAST_WORDS_MS);
    seat.socket.once("close", () => clearTimeout(timer));
    if (seat.socket.destroyed) clearTimeout(timer);
  }

  /** A letter came with a socket, which one receiver gets, or with a server, which all get. */
  handed(life: number, { frame, what }: Handed, handle: TcpHandle): void {
    const seat = this.#seats.get(life);
    const envelope = envelopeOf(frame);
    const who = seat?.who ?? "a child that is gone";
    if (seat === undefined || isMasterAction(envelope.action)) {
      handle.close();
      return this.#losses.count(seat === undefined ? "absent" : "forged", who);
    }
    const from = endpointOf(seat.role);
    stamp(frame, from, seat.pid);
    const directory = { masterPid: process.pid, children: this.#seats.values() };
    const routed = route({ ...envelope, from }, seat, directory, this.#parts.world.random()).flatMap(({ children }) => children);
    const receivers = what === "socket" ? routed.slice(0, 1) : routed;
    let pending = 1;
    const done = (): void => {
      if (--pending === 0) handle.close();
    };
    for (const receiver of receivers) {
      pending++;
      // One of its own for each: a set of them is kept.
      const loss = this.#parts.children.hand(receiver.life, { frame, what }, handle, () => done());
      if (loss === null) this.#count(from, endpointOf(receiver.role), 1);
      else {
        this.#losses.count(loss, who);
        done();
      }
    }
    if (receivers.length === 0) this.#losses.count("absent", who);
    done();
  }

  /** Who is there may have changed: whoever has to know is told. */
  settled(state: State): void {
    const before = this.#state;
    if (before === state) return;
    this.#state = state;
    for (const seat of this.#seats.values()) seat.isReady = findLife(state, seat.life)?.life.state === "ready";
    for (const notice of before === null ? [] : notices(before, state, this.#parts.ready)) this.#tell(notice);
    for (const seat of this.#seats.values()) seat.outbox.flush();
  }

  /** A message of the master's own. */
  #tell({ to, action, data }: Notice): void {
    const frame = writeLetter({ action, data, to: "usual", receiver: 0 }, "v8");
    stamp(frame, "master", 0);
    for (const seat of this.#seats.values()) {
      const endpoint = endpointOf(seat.role);
      if ((to === seat.life || to === endpoint) && seat.outbox.push(frame)) this.#count("master", endpoint, 1);
    }
  }

  #take(frame: Buffer, from: Endpoint, sender: PostSeat | null): void {
    const envelope = forMaster(envelopeOf(frame), process.pid);
    const who = sender?.who ?? from;
    if (isMasterAction(envelope.action)) return this.#losses.count("forged", who);
    stamp(frame, from, sender?.pid ?? 0);
    const directory = { masterPid: process.pid, children: this.#seats.values() };
    for (const receivers of route({ ...envelope, from }, sender, directory, this.#parts.world.random())) {
      const loss = this.#hand(frame, envelope, from, receivers, who);
      if (sender === null) continue;
      if (envelope.kind === "question") this.#questions.asked(sender, envelope.question, receivers, loss);
      // Of one that is gone the last words are read at once.
      if (this.#seats.has(sender.life)) for (const { outbox } of receivers.children) this.#crowd.wrote(sender.socket, outbox);
    }
  }

  /** @returns why nobody got it; null when somebody did */
  #hand(frame: Buffer, envelope: Envelope, from: Endpoint, { to, children }: Receivers<PostSeat>, who: string): DropReason | null {
    if (to === "master") {
      if (envelope.action === RELOAD_ACTION) this.#parts.order({ kind: "reload", agent: false });
      this.#count(from, to, 1);
      return envelope.action === RELOAD_ACTION ? null : "absent";
    }
    if (to === "parent") return this.#handToParent(frame, from, who);
    let handed = 0;
    const isReply = envelope.kind === "answer" || envelope.kind === "refusal";
    for (const { outbox, life } of children) {
      if (isReply) this.#questions.answered(life, envelope.question);
      if (outbox.push(frame)) handed++;
      else this.#losses.count("full", who);
    }
    this.#turnstile.add(LETTER_WEIGHT + (frame.length + LETTER_WEIGHT) * handed);
    this.#count(from, to, handed);
    // Siblings are told by libraries that do not know whether there are any.
    if (children.length === 0 && envelope.to !== "siblings") this.#losses.count("absent", who);
    if (handed > 0) return null;
    return children.length === 0 ? "absent" : "full";
  }

  #handToParent(frame: Buffer, from: Endpoint, who: string): DropReason | null {
    let loss: DropReason | null = "malformed";
    try {
      loss = this.#parent === null ? "absent" : this.#parent.deliver(readLetter(frame));
    } catch {
      // A body that is none.
    }
    if (loss === null) this.#count(from, "parent", 1);
    else this.#losses.count(loss, who);
    return loss;
  }

  /** For what writes outside a reading turn. */
  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      // Too long, or not to be cloned.
      if (error instanceof RangeError) this.#losses.count("too_long", "the parent");
      else this.#losses.count("malformed", "the parent");
    }
    for (const seat of this.#seats.values()) seat.outbox.flush();
  }

  #count(from: Endpoint, to: Endpoint, amount: number): void {
    const key = `${from} ${to}` as const;
    this.#sent.set(key, (this.#sent.get(key) ?? 0) + amount);
  }

  /** Somebody wrote what is no message, on whichever channel. */
  junk(place: Place): void {
    this.#losses.count("malformed", nameOf(place));
  }
}

function ignore(): void {}
