// Reads what https needs from the files that the configuration names. Runs in the master, which checks them at the start, and in workers.
import { readFileSync } from "node:fs";
import type { HttpsFiles } from "../messenger/wire.ts";

export interface HttpsOptions {
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly ca?: Buffer;
  readonly passphrase?: string;
}

export function readHttpsFiles({ key, cert, ca, passphrase }: HttpsFiles): HttpsOptions {
  return {
    key: readFileSync(key),
    cert: readFileSync(cert),
    ...(ca === null ? {} : { ca: readFileSync(ca) }),
    // Editors end a file with a newline.
    ...(passphrase === null ? {} : { passphrase: readFileSync(passphrase, "utf8").replace(/\r?\n$/, "") }),
  };
}
