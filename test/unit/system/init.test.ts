// Which init could take our place: one that exists, is a program, and runs.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { findInit, giveWayToInit } from "../../../src/system/init.ts";

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "inits-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

describe("an init that can take our place", () => {
  it("is the first of those we know that runs, on the PATH or where images put it", (t) => {
    const folder = folderOf(t, { tini: "no program at all\0", catatonit: "#!/bin/sh\nexit 0\n", "dumb-init": "#!/bin/sh\nexit 0\n" });
    mkdirSync(join(folder, "docker-init"));
    assert.deepEqual(findInit(`relative:${folder}`, []), { path: join(folder, "catatonit"), flags: [] });
    const other = folderOf(t, { "dumb-init": "#!/bin/sh\nexit 0\n" });
    assert.deepEqual(findInit("/nonexistent", [other]), { path: join(other, "dumb-init"), flags: ["--single-child"] });
  });

  it("is none where nothing is installed, cannot be run, or fails", (t) => {
    const folder = folderOf(t, { tini: "#!/bin/sh\nexit 1\n", catatonit: "#!/nonexistent/loader\n" });
    chmodSync(join(folder, "catatonit"), 0o755);
    writeFileSync(join(folder, "dumb-init"), "#!/bin/sh\nexit 0\n", { mode: 0o644 });
    assert.equal(findInit(folder, []), null);
    // It returns: there is nobody to give way to.
    giveWayToInit(null);
  });
});
