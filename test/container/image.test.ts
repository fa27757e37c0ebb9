// What the image is made of, before anything runs: small, non-root by number, exec form, nothing that only development needs.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { docker, skip, useImage } from "./helpers.ts";

const BASE = "node:26-bookworm-slim";
const MIB = 1024 * 1024;

describe("the image", { skip }, () => {
  const image = useImage();

  it("starts Node itself as a numeric user that is not root, and asks rollcall for its health", async () => {
    const config = JSON.parse(await docker(["image", "inspect", "--format", "{{json .Config}}", image]));
    assert.match(config.User, /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(config.Entrypoint[0], "node");
    assert.deepEqual(config.Healthcheck.Test, ["CMD-SHELL", "{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null; exec rollcall health"]);
    assert.equal(config.StopSignal, "SIGTERM");
    assert.deepEqual(Object.keys(config.ExposedPorts), ["3000/tcp", "9000/tcp", "9464/tcp"]);
    assert.ok(config.Env.includes("NODE_ENV=production"));
    const other = config.Env.filter((pair: string) => !/^(PATH|NODE_VERSION|YARN_VERSION|NODE_ENV)=/.test(pair));
    assert.deepEqual(other, await inherited(), "the build leaves no variable of its own in the image");
  });

  it("adds less than 40 MiB to Node's own image", async (t) => {
    const bytes = async (name: string): Promise<number> => Number(await docker(["image", "inspect", "--format", "{{.Size}}", name]));
    const [whole, base] = [await bytes(image), await bytes(BASE)];
    t.diagnostic(`image: ${Math.round(whole / MIB)} MiB, of which Node's own: ${Math.round(base / MIB)} MiB`);
    assert.ok(whole - base < 40 * MIB, `${Math.round((whole - base) / MIB)} MiB added`);
  });

  it("holds production files only: no tests, sources, history, development tools, caches or secrets", async () => {
    const files = (await find(["/opt/rollcall", "/app", "/root", "/home", "/tmp", "-mindepth", "1"])).filter(
      (path) => !/\/\.(bashrc|profile|bash_logout)$/.test(path),
    );
    const top = files.filter((path) => /^\/opt\/rollcall\/[^/]+$/.test(path)).map((path) => path.slice("/opt/rollcall/".length));
    assert.deepEqual(top.sort(), ["LICENSE", "dist", "examples", "node_modules", "package-lock.json", "package.json"]);
    const elsewhere = files.filter(
      (path) => !path.startsWith("/opt/rollcall/") && !/^\/(home\/node|tmp\/(v8-compile-cache|node-compile-cache))/.test(path),
    );
    assert.deepEqual(elsewhere, [], "nothing but the base image's own home folder");
    const read = async (name: string) => JSON.parse(await docker(["run", "--rm", "--entrypoint", "cat", image, `/opt/rollcall/${name}`]));
    const manifest = (await read("package.json")) as { dependencies: Record<string, string> };
    const lock = (await read("package-lock.json")) as { packages: Record<string, { dev?: boolean }> };
    const packages = new Set(files.flatMap((path) => /^\/opt\/rollcall\/node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1] ?? []));
    for (const name of Object.keys(manifest.dependencies)) assert.ok(packages.has(name), `${name} is missing`);
    assert.deepEqual(
      [...packages].filter((name) => lock.packages[`node_modules/${name}`]?.dev === true),
      [],
    );
    assert.deepEqual(
      files.filter((path) => /\/(\.git|\.env|\.npmrc|\.npm|\.netrc|id_rsa|.*\.pem)$/.test(path)),
      [],
    );
    assert.deepEqual(
      files.filter((path) => /^\/opt\/rollcall\/dist\/.*\.test\./.test(path)),
      [],
    );
  });

  it("can be read by any user and written by none but root", async () => {
    assert.deepEqual(await find(["/opt/rollcall", "!", "-type", "l", "!", "-perm", "-o=r"]), []);
    assert.deepEqual(await find(["/opt/rollcall", "-type", "d", "!", "-perm", "-o=x"]), []);
    assert.deepEqual(await find(["/opt/rollcall", "!", "-type", "l", "(", "-perm", "/o=w", "-o", "!", "-user", "0", ")"]), []);
  });

  async function find(args: readonly string[]): Promise<readonly string[]> {
    const listed = await docker(["run", "--rm", "--user", "0", "--network", "none", "--entrypoint", "find", image, ...args]);
    return listed.split("\n").filter((line) => line !== "");
  }

  async function inherited(): Promise<readonly string[]> {
    const env = JSON.parse(await docker(["image", "inspect", "--format", "{{json .Config.Env}}", BASE])) as readonly string[];
    return env.filter((pair) => !/^(PATH|NODE_VERSION|YARN_VERSION|NODE_ENV)=/.test(pair));
  }
});
