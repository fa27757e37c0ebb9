// Rollcall under tini: see cases.ts.
import { examine } from "./examine.ts";

examine("Rollcall under tini");
