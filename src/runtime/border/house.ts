// What Node and Rollcall listen to on `process`, as the app finds it: process.removeAllListeners() takes the app's listeners away and leaves these. Without
// them a child would hear neither its master nor its master's end. Runs in a child.

/** Called once, when everything is in its place and the app is to come. */
export function keepHouse(): void {
  const house = new Map(process.eventNames().map((name) => [name, new Set(process.rawListeners(name as "exit"))]));
  const removeAllListeners = (event?: string | symbol): NodeJS.Process => {
    for (const name of event === undefined ? process.eventNames() : [event]) {
      for (const listener of process.rawListeners(name as "exit"))
        if (house.get(name)?.has(listener) !== true) process.removeListener(name, listener as () => void);
    }
    return process;
  };
  (process as { removeAllListeners: unknown }).removeAllListeners = removeAllListeners;
}
