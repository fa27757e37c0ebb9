// Takes in what waits at listening sockets before they are closed: Node accepts one connection of each in a turn of its event loop. Runs in the master and in
// children.

/** So many may wait on a socket; those that come meanwhile do not count. */
const MOST_TURNS = 512;

/** @param accepted how many have been accepted so far: a turn that brings none is the last one */
export async function takeIn(accepted: () => number): Promise<void> {
  // The first turn ends the one that this is in; after each of the others every socket has been looked at.
  await turn();
  for (let turns = 0, before = -1; turns < MOST_TURNS && before !== accepted(); turns++) {
    before = accepted();
    await turn();
  }
}

/** Not from node:timers/promises, which every child would have to load. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
