// A self-signed certificate for localhost, made for one test.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export const HAS_OPENSSL: boolean = spawnSync("openssl", ["version"]).error === undefined;

/** @returns TLS_KEY and TLS_CERT, paths for a fixture's environment */
export function certificate(t: TestContext): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const what = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...what, "-keyout", key, "-out", cert], { stdio: "ignore" });
  return { TLS_KEY: key, TLS_CERT: cert };
}
