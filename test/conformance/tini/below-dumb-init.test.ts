// Rollcall under dumb-init: see cases.ts.
import { examine } from "./examine.ts";

examine("Rollcall under dumb-init");
