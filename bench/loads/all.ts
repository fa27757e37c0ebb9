// All loads, in the order in which a round takes them: what disturbs nobody first.
import { boot } from "./boot.ts";
import { crash } from "./crash.ts";
import { evenness } from "./evenness.ts";
import { growths } from "./growth.ts";
import { kill } from "./kill.ts";
import type { Load } from "./load.ts";
import { memory } from "./memory.ts";
import { reload } from "./reload.ts";
import { throughputs } from "./throughput.ts";

export const LOADS: readonly Load[] = [boot, memory, ...throughputs, evenness, reload, kill, crash, ...growths];
