// Evens out connections that stay, where the kernel spreads them by chance: a worker offers one that it has accepted, the master asks those that seem to have fewer,
// the emptiest first, and hands it over when the giver has let go of it. Until then it decides nothing, and what it hears too late changes nothing. Runs in the master.
import type { SpareWord } from "../messenger/spare.ts";
import type { HandOverAnswer } from "../messenger/wire.ts";
import type { Ready } from "../policy/life.ts";
import type { State } from "../policy/state.ts";
import type { Children } from "../process/children.ts";
import { byWish } from "../sockets/choice.ts";
import { lookForDeparted } from "../sockets/departed.ts";
import { HandOvers } from "../sockets/hand-overs.ts";
import type { Where } from "../sockets/incoming.ts";
import { type ConnectionHandle, isConnected, type TcpHandle } from "../sockets/internals.ts";
import { Room } from "../sockets/room.ts";
import type { World } from "../system/world.ts";
import { candidatesOf } from "./candidates.ts";
import { descriptorLimit, openDescriptors, waitingWithin } from "./descriptors.ts";

/** How many are asked whether they want it. */
const MOST_ASKED = 3;
/** How long one that wants a connection is asked about no other: its giver has answered by then, or stands still. */
const WISH_MS = 100;
/** How long a worker that has just said to want it may take; after twice that another one is given the connection. */
const PATIENCE_MS = 250;
const NONE_DROPPED = { full: 0, untaken: 0, gone: 0 };
const ANY = { has: () => true };

interface Parts {
  readonly children: Pick<Children, "tell" | "handOver">;
  readonly world: Pick<World, "startTimer" | "now">;
  state(): State;
}

interface Offer extends Where {
  readonly id: number;
  readonly giver: number;
  /** The giver's name for it. */
  readonly givenId: number;
  readonly count: number;
  readonly asked: Set<number>;
  /** Who was asked last. */
  taker: number;
  /** When somebody said to want it; null: nobody has. */
  wantedAt: number | null;
}

export class Levelling {
  readonly #parts: Parts;
  /** By giver, which has one at a time. */
  readonly #offers: Map<number, Offer> = new Map();
  /** What a worker has said of itself, or must have by now. */
  readonly #known: Map<number, { readonly count: number; readonly at: number }> = new Map();
  /** Those that have not answered yet: they are asked nothing more until they do. */
  readonly #owing: Set<number> = new Set();
  /** The last offer that each was asked about. */
  readonly #asked: Map<number, number> = new Map();
  #handOvers: HandOvers | null = null;
  #nextId = 1;
  /** How many connections their givers have let go of. */
  moved = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get dropped(): HandOvers["dropped"] {
    return this.#handOvers?.dropped ?? NONE_DROPPED;
  }

  onSpare(life: number, word: SpareWord, handle: TcpHandle | undefined): void {
    // Last words may be read after the end. A connection is a connection.
    if (word.type !== "yields" && !this.#isThere(life)) return;
    switch (word.type) {
      case "spare":
        return this.#offer(life, word);
      case "wants":
        return this.#hear(life, word);
      case "keeps":
        if (this.#offers.get(life)?.givenId === word.id) this.#offers.delete(life);
        return;
      case "yields":
        this.#offers.delete(life);
        return this.#pass(life, word, handle);
      default:
        word satisfies never;
    }
  }

  onAnswer(life: number, id: number, answer: HandOverAnswer): void {
    this.#handOvers?.onAnswer(life, id, answer);
  }

  onMissed(life: number): void {
    this.#handOvers?.onMissed(life);
  }

  /** Who may have a connection has changed, perhaps. */
  settled({ stop }: State): void {
    if (stop !== null) this.#handOvers?.finish();
    else this.#handOvers?.retry();
  }

  onCutOff(life: number): void {
    this.#forget(life);
    this.#handOvers?.onCutOff(life);
  }

  onDisconnected(life: number): void {
    this.onGone(life);
  }

  /** It can neither give nor take any more. */
  onGone(life: number): void {
    this.#forget(life);
    this.#handOvers?.onGone(life);
  }

  close(): void {
    this.#handOvers?.drop(null);
  }

  #forget(life: number): void {
    this.#known.delete(life);
    this.#owing.delete(life);
    this.#asked.delete(life);
    this.#offers.delete(life);
    for (const offer of [...this.#offers.values()]) if (offer.taker === life && offer.wantedAt === null) this.#ask(offer);
  }

  #offer(giver: number, { id: givenId, port, host, count }: Extract<SpareWord, { type: "spare" }>): void {
    this.#know(giver, count);
    const offer: Offer = { id: this.#nextId++, giver, givenId, port, host, count, asked: new Set(), taker: giver, wantedAt: null };
    this.#offers.set(giver, offer);
    this.#ask(offer);
  }

  /** The emptiest that has not been asked, by what is known; of several the one that was asked least lately. */
  #ask(offer: Offer): void {
    const { id, port, host, count: below, asked } = offer;
    const able = asked.size < MOST_ASKED ? this.#able(offer) : [];
    const [first] = able.sort((one, other) => this.#countOf(one) - this.#countOf(other) || this.#askedAt(one) - this.#askedAt(other));
    if (first === undefined) return this.#answer(offer, null);
    asked.add(first.id);
    offer.taker = first.id;
    this.#asked.set(first.id, id);
    if (!this.#parts.children.tell(first.id, { type: "spared", id, port, host, below })) this.#ask(offer);
    else this.#owing.add(first.id);
  }

  #hear(life: number, { id, isWanted, count }: Extract<SpareWord, { type: "wants" }>): void {
    this.#owing.delete(life);
    this.#know(life, count);
    const offer = [...this.#offers.values()].find((each) => each.id === id);
    if (offer?.taker !== life || offer.wantedAt !== null) return;
    if (isWanted) this.#answer(offer, life);
    else this.#ask(offer);
  }

  #answer(offer: Offer, taker: number | null): void {
    const isTold = this.#parts.children.tell(offer.giver, { type: "wanted", id: offer.givenId, taker });
    if (taker === null || !isTold) this.#offers.delete(offer.giver);
    else offer.wantedAt = this.#parts.world.now();
  }

  /** It is the master's from here on. */
  #pass(giver: number, { port, host, taker }: Extract<SpareWord, { type: "yields" }>, given: TcpHandle | undefined): void {
    if (given === undefined || !isConnected(given)) return given?.close();
    const handle = given as unknown as ConnectionHandle;
    this.moved++;
    const known = this.#known.get(taker);
    if (known !== undefined) this.#know(taker, known.count + 1);
    this.#handOvers ??= this.#start();
    this.#handOvers.give({ handle, port, host, client: `${taker} ${giver}`, text: "" });
  }

  /** Only where connections are moved: most services have none. */
  #start(): HandOvers {
    const { world, children, state } = this.#parts;
    const handOvers = new HandOvers({
      world,
      room: new Room(waitingWithin(descriptorLimit(), openDescriptors())),
      look: lookForDeparted,
      patienceMs: PATIENCE_MS,
      choice: byWish,
      candidates: () => candidatesOf(state().workers, ANY, ANY),
      send: (life, { handle, client, id, port, host, expiresAt }) =>
        children.handOver(life, { type: "take", id, port, host, expiresAt, head: "", isOwn: client.endsWith(` ${life}`) }, handle),
      // What comes then is closed, and counted.
      onFull() {},
    });
    if (state().stop !== null) handOvers.finish();
    return handOvers;
  }

  /** Of two in a slot one is on trial, or about to leave: neither is given more than comes by itself. */
  #able({ giver, asked }: Offer): Ready[] {
    const { stop, workers } = this.#parts.state();
    if (stop !== null) return [];
    const since = this.#parts.world.now() - WISH_MS;
    const takers = new Set(
      [...this.#offers.values()].flatMap(({ wantedAt, taker }) => (wantedAt !== null && wantedAt > since ? [taker] : [])),
    );
    return workers.flatMap(({ lives: [life, ...more] }) => {
      if (life?.state !== "ready" || more.length > 0 || life.suspected || life.ailments.length > 0) return [];
      const isFree = life.id !== giver && !asked.has(life.id) && !this.#owing.has(life.id) && !takers.has(life.id);
      return isFree ? [life] : [];
    });
  }

  #isThere(life: number): boolean {
    return this.#parts.state().workers.some(({ lives }) => lives.some(({ id }) => id === life));
  }

  #know(life: number, count: number): void {
    this.#known.set(life, { count, at: this.#parts.world.now() });
  }

  /** What it has said last, here or in a heartbeat. */
  #countOf({ id, sample, lastSeenAt }: Ready): number {
    const known = this.#known.get(id);
    return known !== undefined && known.at >= lastSeenAt ? known.count : (sample?.connections ?? 0);
  }

  #askedAt({ id }: Ready): number {
    return this.#asked.get(id) ?? 0;
  }
}
