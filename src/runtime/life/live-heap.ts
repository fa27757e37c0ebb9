// What the app keeps of its heap: what was used right after the last full garbage collection, since at any other moment most may be garbage. Runs in a child.
// Its one rule: a small heap costs nothing; collections are watched from the moment that much of the limit is in use.
import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

/** Of the whole limit, young objects included, which in a small heap are half of it. */
const WATCH_SHARE = 0.35;
/** Near the end collections come one after the other. */
const TELL_EVERY_MS = 200;

export class LiveHeap {
  readonly #tell: () => void;
  #bytes = 0;
  #watching = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** @param tell called after a full collection, so that the master need not wait for the next heartbeat */
  constructor(tell: () => void) {
    this.#tell = tell;
  }

  /** 0 until a collection was seen. */
  get bytes(): number {
    return this.#bytes;
  }

  note({ used_heap_size: used, heap_size_limit: limit }: { readonly used_heap_size: number; readonly heap_size_limit: number }): void {
    if (this.#watching || used < WATCH_SHARE * limit) return;
    this.#watching = true;
    new PerformanceObserver((list) => {
      if (list.getEntries().some(isFullCollection)) this.#collected();
    }).observe({ entryTypes: ["gc"] });
  }

  #collected(): void {
    this.#bytes = getHeapStatistics().used_heap_size;
    const now = performance.now();
    if (now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    this.#tell();
  }
}

function isFullCollection(entry: PerformanceEntry): boolean {
  return (entry as PerformanceEntry & { readonly detail: NodeGCPerformanceDetail }).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
