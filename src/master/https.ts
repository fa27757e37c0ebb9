// Before anything is forked: do the files for https make a working pair? Runs in the master, at start only.
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
import { httpsOf } from "../process/launch.ts";
import { readHttpsFiles } from "../system/https-files.ts";

/** @throws ClusterError ERR_CONFIG (exit 2) */
export async function checkHttps(config: Config): Promise<void> {
  const files = httpsOf(config);
  if (files === null) return;
  const { createSecureContext } = await import("node:tls");
  try {
    createSecureContext(readHttpsFiles(files));
  } catch (error) {
    throw new ClusterError(
      "ERR_CONFIG",
      `https: cannot use ${files.key} with ${files.cert}: ${(error as Error).message}; expected PEM files of a key and its certificate${files.passphrase === null ? ", and https-passphrase if the key has one" : ""}`,
      { reason: "usage", cause: error },
    );
  }
}
