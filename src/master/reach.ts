// Where the service is reached, as its workers say it: for the log, /status and the parent. Runs in the master.
import type { ReadyFacts } from "../messenger/parent.ts";
import type { Remark } from "../process/hearing.ts";
import { describeAddress } from "./first-screen.ts";
import { describeForParent } from "./parent.ts";

/** An app that says more cannot make the master hold more. */
const MOST_ADDRESSES = 100;

export class Reach {
  readonly #addresses: Set<string> = new Set();
  #facts: ReadyFacts;

  constructor(debugPort: number | null) {
    this.#facts = { port: null, debugPort, address: null, protocol: "http" };
  }

  note(said: Remark): void {
    if (said.type !== "listening" || !said.expected || said.place.role !== "worker") return;
    if (this.#addresses.size < MOST_ADDRESSES) this.#addresses.add(describeAddress(said.address, said.port, said.scheme));
    if (this.#facts.address === null) this.#facts = describeForParent(said, this.#facts.debugPort);
  }

  get addresses(): readonly string[] {
    return [...this.#addresses];
  }

  /** What the parent is told of the first one. */
  get facts(): ReadyFacts {
    return this.#facts;
  }
}
