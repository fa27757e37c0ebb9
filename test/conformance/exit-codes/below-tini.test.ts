// The table of exit codes below an init, which passes them on.
import { spawnSync } from "node:child_process";
import { asPid1, noPid1 } from "../../helpers/namespaces.ts";
import { showExitCodes } from "./table.ts";

const noTini = spawnSync("tini", ["--version"]).error !== undefined && "tini is not installed";

showExitCodes("below tini", [...(asPid1 ?? []), "tini", "--"], noPid1 || noTini);
