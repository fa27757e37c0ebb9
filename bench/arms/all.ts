// All arms, in the order of the report.
import type { Arm } from "./arm.ts";
import { cluster, oneProcess, reusePort } from "./bare.ts";
import { egg } from "./egg.ts";
import { pm2 } from "./pm2.ts";
import { rollcalls } from "./rollcall.ts";
import { watt } from "./watt.ts";

export const ARMS: readonly Arm[] = [oneProcess, cluster, reusePort, pm2, egg, watt, ...rollcalls];
