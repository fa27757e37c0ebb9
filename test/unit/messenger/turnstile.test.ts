import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Pausable, Turnstile } from "../../../src/messenger/turnstile.ts";

class Source implements Pausable {
  readonly calls: string[] = [];

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a turnstile", () => {
  it("lets pass what a turn can bear, and makes who brings more rest until the next", async () => {
    const turnstile = new Turnstile();
    const [modest, greedy] = [new Source(), new Source()];
    turnstile.count(modest, 400_000);
    assert.deepEqual(modest.calls, []);
    turnstile.count(greedy, 200_000);
    turnstile.count(greedy, 200_000);
    assert.deepEqual(greedy.calls, ["pause"]);
    await nextTurn();
    assert.deepEqual(greedy.calls, ["pause", "resume"]);
    assert.deepEqual(modest.calls, []);
    turnstile.count(modest, 400_000);
    await nextTurn();
    assert.deepEqual(modest.calls, [], "each turn begins anew");
  });

  it("counts what else costs time", async () => {
    const turnstile = new Turnstile();
    const source = new Source();
    turnstile.add(1_000_000);
    turnstile.count(source, 1);
    assert.deepEqual(source.calls, ["pause"]);
    await nextTurn();
    assert.deepEqual(source.calls, ["pause", "resume"]);
  });

  it("lets who is held rest until it is released, whatever turns go by", async () => {
    const turnstile = new Turnstile();
    const source = new Source();
    turnstile.count(source, 1_000_000);
    turnstile.hold(source);
    turnstile.hold(source);
    await nextTurn();
    await nextTurn();
    assert.deepEqual(source.calls, ["pause", "pause"]);
    turnstile.release(source);
    turnstile.release(source);
    assert.deepEqual(source.calls, ["pause", "pause", "resume"]);
  });

  it("does not resume within a turn whose measure is full", async () => {
    const turnstile = new Turnstile();
    const source = new Source();
    turnstile.hold(source);
    turnstile.count(source, 1_000_000);
    turnstile.release(source);
    assert.ok(!source.calls.includes("resume"));
    await nextTurn();
    assert.equal(source.calls.at(-1), "resume");
  });
});
