// Who is told of whom, as the service lives on.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { notices } from "../../../src/messenger/presence.ts";
import type { Settings, State } from "../../../src/policy/state.ts";
import { Story } from "../../helpers/story.ts";

/** A story whose listener hears after each step, as the master's does. */
class Told {
  readonly story: Story;
  #seen: State;

  constructor(settings: Partial<Settings> = {}) {
    this.story = new Story(settings);
    this.#seen = this.story.state;
  }

  /** What is said for what has happened: "app: egg-pids [1000]". Lives are named by their number. */
  after(happens: (story: Story) => unknown): string[] {
    happens(this.story);
    const said = notices(this.#seen, this.story.state, () => "ready");
    this.#seen = this.story.state;
    return said.map(({ to, action, data }) => `${to}: ${action}${data === undefined ? "" : ` ${JSON.stringify(data)}`}`);
  }

  pid(id: number): number {
    return this.story.lives().find((life) => life.id === id)?.pid ?? -1;
  }
}

describe("the notices", () => {
  it("tell of the agent when it is ready, of workers as they come, and that all are ready once", () => {
    const told = new Told();
    assert.deepEqual(
      told.after((story) => story.start()),
      [],
    );
    const { agent } = told.story;
    assert.deepEqual(
      told.after((story) => story.ready(agent)),
      ["app: agent-start", `app: egg-pids [${told.pid(agent)}]`],
    );
    const [first, second] = [told.story.worker(0), told.story.worker(1)];
    assert.deepEqual(
      told.after((story) => story.ready(first)),
      [`${first}: egg-pids [${told.pid(agent)}]`, `agent: egg-pids [${told.pid(first)}]`],
    );
    assert.deepEqual(
      told.after((story) => story.ready(second)),
      [
        `${second}: egg-pids [${told.pid(agent)}]`,
        `agent: egg-pids [${told.pid(first)},${told.pid(second)}]`,
        'app: egg-ready "ready"',
        'agent: egg-ready "ready"',
      ],
    );
    assert.deepEqual(
      told.after((story) => story.beat(first)),
      [],
      "a heartbeat is no news",
    );
  });

  it("tell of a death, and only the newcomer that all are ready", () => {
    const told = new Told();
    told.after((story) => story.boot());
    const [agent, worker, other] = [told.story.agent, told.story.worker(0), told.story.worker(1)];
    assert.deepEqual(
      told.after((story) => story.exit(worker)),
      [`agent: egg-pids [${told.pid(other)}]`],
    );
    const next = told.story.worker(0);
    assert.deepEqual(
      told.after((story) => story.ready(next)),
      [`${next}: egg-pids [${told.pid(agent)}]`, `agent: egg-pids [${told.pid(next)},${told.pid(other)}]`, `${next}: egg-ready "ready"`],
    );
    assert.deepEqual(
      told.after((story) => story.exit(agent)),
      ["app: egg-pids []"],
    );
    told.after((story) => story.pass(600));
    const successor = told.story.agent;
    assert.deepEqual(
      told.after((story) => story.ready(successor)),
      [
        "app: agent-start",
        `app: egg-pids [${told.pid(successor)}]`,
        `${successor}: egg-pids [${told.pid(next)},${told.pid(other)}]`,
        `${successor}: egg-ready "ready"`,
      ],
    );
  });

  it("no longer name who drains", () => {
    const told = new Told();
    told.after((story) => story.boot());
    const [faulted, other] = [told.story.worker(0), told.story.worker(1)];
    assert.deepEqual(
      told.after((story) => story.fault(faulted)),
      [`agent: egg-pids [${told.pid(other)}]`],
    );
    assert.deepEqual(
      told.after((story) => story.exit(faulted)),
      [],
    );
  });

  it("tell of no agent where there is none", () => {
    const told = new Told({ hasAgent: false });
    const said = told.after((story) => story.boot());
    assert.deepEqual(said.slice(0, 1), ['app: egg-ready "ready"']);
    assert.ok(!said.some((notice) => /agent-start|egg-pids/.test(notice)), said.join());
  });
});
