// Rollcall under dumb-init -c: see cases.ts.
import { examine } from "./examine.ts";

examine("Rollcall under dumb-init -c");
