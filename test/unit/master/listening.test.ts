// Which strategy a service gets: by the option, the platform, and whether the self-test passes.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config, ListenStrategy } from "../../../src/config/config.ts";
import { type Abilities, chooseListening, type Listening } from "../../../src/master/listening.ts";

const able: Abilities = { platform: "linux", selfTest: async () => null };
const unable: Abilities = { platform: "linux", selfTest: async () => "binding gives -22" };
const elsewhere = (platform: NodeJS.Platform): Abilities => ({
  platform,
  selfTest: () => Promise.reject(new Error("there is nothing to test")),
});

const choose = (listen: ListenStrategy, abilities: Abilities): Promise<Listening> =>
  chooseListening({ listen, spread: 2 } as Config, abilities);

const paired: Listening = { listening: { perSlot: true, spread: 2 }, sticky: false, unheld: "shared", warning: null };
const silent: Listening = { listening: null, sticky: false, unheld: "round-robin", warning: null };

test("on Linux: paired by default, and whatever is asked for", async () => {
  assert.deepEqual(await choose("auto", able), paired);
  assert.deepEqual(await choose("paired", able), paired);
  assert.deepEqual(await choose("per-worker", able), { ...paired, listening: { perSlot: true, spread: 1 } });
  assert.deepEqual(await choose("shared", able), { ...paired, listening: { perSlot: false, spread: Number.POSITIVE_INFINITY } });
  assert.deepEqual(await choose("round-robin", able), silent);
  assert.deepEqual(await choose("sticky", able), { listening: null, sticky: true, unheld: "shared", warning: null });
});

test("where the self-test fails: round-robin, with a warning that says why", async () => {
  for (const listen of ["auto", "paired", "per-worker", "shared", "sticky"] as const) {
    const { warning, ...chosen } = await choose(listen, unable);
    assert.deepEqual(chosen, { listening: null, sticky: false, unheld: "round-robin" });
    assert.match(warning ?? "", /cannot hold listening sockets .*\(binding gives -22\); using round-robin/);
  }
  assert.deepEqual(await choose("round-robin", unable), silent, "who asks for it needs no warning");
});

test("elsewhere: round-robin, in silence unless something else was asked for", async () => {
  for (const platform of ["darwin", "win32"] as const) {
    assert.deepEqual(await choose("auto", elsewhere(platform)), silent);
    assert.deepEqual(await choose("round-robin", elsewhere(platform)), silent);
    const { warning, ...chosen } = await choose("paired", elsewhere(platform));
    assert.deepEqual(chosen, { listening: null, sticky: false, unheld: "round-robin" });
    assert.match(warning ?? "", /listen paired: only Linux/);
  }
});
