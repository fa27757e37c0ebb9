// What a deed is: it does one kind of harm to the scene, waits for what must come of it, and says what the checks after it must excuse.
import type { Chance } from "../helpers/seed.ts";
import type { Drawable } from "./plan.ts";
import type { Scene } from "./scene.ts";

export interface Deed extends Drawable {
  /** /ready may be 500 meanwhile. */
  readonly unready?: true;
  /** Nobody answers probes meanwhile: the master stands still. */
  readonly silent?: true;
  /** @returns what it decided, in a few words */
  readonly run: (scene: Scene, chance: Chance) => Promise<string>;
}
