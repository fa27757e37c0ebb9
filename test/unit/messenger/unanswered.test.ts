import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MOST_UNANSWERED, Unanswered } from "../../../src/messenger/unanswered.ts";

describe("what nobody has answered", () => {
  it("is told once, when the last one that could answer is gone", () => {
    const unanswered = new Unanswered();
    unanswered.asked({ asker: 1, question: 7 }, [2]);
    unanswered.asked({ asker: 1, question: 8 }, [2, 3]);
    unanswered.asked({ asker: 4, question: 7 }, [2]);
    assert.deepEqual(unanswered.gone(2), [
      { asker: 1, question: 7 },
      { asker: 4, question: 7 },
    ]);
    assert.deepEqual(unanswered.gone(2), []);
    assert.deepEqual(unanswered.gone(3), [{ asker: 1, question: 8 }]);
  });

  it("is neither what has been answered nor what was asked by one that is gone", () => {
    const unanswered = new Unanswered();
    unanswered.asked({ asker: 1, question: 1 }, [2]);
    unanswered.asked({ asker: 3, question: 1 }, [2]);
    unanswered.answered({ asker: 1, question: 1 });
    unanswered.answered({ asker: 1, question: 99 });
    assert.deepEqual(unanswered.gone(3), []);
    assert.deepEqual(unanswered.gone(2), []);
  });

  it("can be asked of oneself", () => {
    const unanswered = new Unanswered();
    unanswered.asked({ asker: 1, question: 1 }, [1]);
    assert.deepEqual(unanswered.gone(1), []);
  });

  it("is forgotten, the oldest first, when one asker has too much of it", () => {
    const unanswered = new Unanswered();
    unanswered.asked({ asker: 5, question: 1 }, [2]);
    for (let question = 1; question <= 10 * MOST_UNANSWERED; question++) unanswered.asked({ asker: 1, question }, [2]);
    const orphaned = unanswered.gone(2);
    assert.equal(orphaned.length, MOST_UNANSWERED + 1);
    assert.deepEqual(orphaned[0], { asker: 5, question: 1 });
    assert.deepEqual(orphaned.at(-1), { asker: 1, question: 10 * MOST_UNANSWERED });
  });
});
