// Rollcall --subreaper: see cases.ts.
import { examine } from "./examine.ts";

examine("Rollcall --subreaper");
