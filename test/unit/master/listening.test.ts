// Which strategy a service gets: by the option, the platform, and whether the self-test passes.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config, ListenStrategy } from "../../../src/config/config.ts";
import { type Abilities, chooseListening, type Listening } from "../../../src/master/listening.ts";

const works = async (): Promise<string | null> => null;
const fails = async (): Promise<string | null> => "binding gives -22";
const able: Abilities = { platform: "linux", selfTest: works, handOverTest: works };
const accepting: Abilities = { ...able, selfTest: fails };
const unable: Abilities = { platform: "linux", selfTest: fails, handOverTest: fails };
const untested = (): Promise<never> => Promise.reject(new Error("there is nothing to test"));
const elsewhere = (platform: NodeJS.Platform): Abilities => ({ platform, selfTest: untested, handOverTest: untested });

const choose = (listen: ListenStrategy, abilities: Abilities): Promise<Listening> =>
  chooseListening({ listen, spread: 2 } as Config, abilities);

const paired: Listening = { listening: { perSlot: true, spread: 2 }, accept: null, unheld: "shared", warning: null };
const inTurn: Listening = { listening: null, accept: "round-robin", unheld: "shared", warning: null };
const nodes: Listening = { listening: null, accept: null, unheld: "round-robin", warning: null };

test("on Linux: paired by default, and whatever is asked for", async () => {
  assert.deepEqual(await choose("auto", able), paired);
  assert.deepEqual(await choose("paired", able), paired);
  assert.deepEqual(await choose("per-worker", able), { ...paired, listening: { perSlot: true, spread: 1 } });
  assert.deepEqual(await choose("shared", able), { ...paired, listening: { perSlot: false, spread: Number.POSITIVE_INFINITY } });
  assert.deepEqual(await choose("round-robin", able), inTurn);
  assert.deepEqual(await choose("sticky", able), { ...inTurn, accept: "sticky" });
});

test("tests only what it is going to need", async () => {
  for (const listen of ["round-robin", "sticky"] as const) await choose(listen, { ...able, selfTest: untested });
  for (const listen of ["auto", "shared"] as const) await choose(listen, { ...able, handOverTest: untested });
});

test("where workers cannot accept from held sockets: the master accepts, in turn, with a warning that says why", async () => {
  for (const listen of ["auto", "paired", "per-worker", "shared"] as const) {
    const { warning, ...chosen } = await choose(listen, accepting);
    assert.deepEqual({ ...chosen, warning: null }, inTurn);
    assert.match(warning ?? "", /^cannot hold listening sockets .*\(binding gives -22\); using round-robin$/);
  }
});

test("where the master cannot accept either: node:cluster, with a warning that says why", async () => {
  for (const listen of ["auto", "paired", "per-worker", "shared", "round-robin", "sticky"] as const) {
    const { warning, ...chosen } = await choose(listen, unable);
    assert.deepEqual({ ...chosen, warning: null }, nodes);
    assert.match(warning ?? "", /^cannot hold listening sockets .*\(binding gives -22\); using node:cluster's round-robin$/);
  }
});

test("elsewhere: node:cluster's round-robin, in silence unless something else was asked for", async () => {
  for (const platform of ["darwin", "win32"] as const) {
    assert.deepEqual(await choose("auto", elsewhere(platform)), nodes);
    assert.deepEqual(await choose("round-robin", elsewhere(platform)), nodes);
    const { warning, ...chosen } = await choose("paired", elsewhere(platform));
    assert.deepEqual({ ...chosen, warning: null }, nodes);
    assert.match(warning ?? "", /listen paired: only Linux/);
  }
});
