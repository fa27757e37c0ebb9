// Which slot a client belongs to: the one with the highest weight of client and slot (rendezvous hashing). Whoever comes or goes moves only the clients
// of that one slot; nothing is remembered. Pure.

/** Two rounds of FNV-1a's prime, and a finish that spreads the last characters over all bits (from MurmurHash3): addresses differ in those. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** @returns the slot that the client belongs to among these; null of none */
export function slotOf(client: string, slots: Iterable<number>): number | null {
  const hash = hashOf(client);
  let best: number | null = null;
  let bestWeight = -1;
  for (const slot of slots) {
    const weight = weigh(hash, slot);
    if (weight > bestWeight || (weight === bestWeight && best !== null && slot < best)) {
      best = slot;
      bestWeight = weight;
    }
  }
  return best;
}

function hashOf(text: string): number {
  let hash = OFFSET;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), PRIME);
  return finish(hash);
}

function weigh(client: number, slot: number): number {
  return finish(client ^ finish(Math.imul(slot + 1, 0x9e3779b1)));
}

function finish(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
