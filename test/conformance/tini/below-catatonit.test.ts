// Rollcall under catatonit: see cases.ts.
import { examine } from "./examine.ts";

examine("Rollcall under catatonit");
