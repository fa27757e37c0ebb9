// The connections of this network namespace that the other side has ended, and this one has not. Runs in the master, where descriptors are short.
import { walkTcpTables } from "./tcp-tables.ts";

const CLOSE_WAIT = "08";
/** Some 56,000 rows of each table. What is beyond them is not seen. */
const MAX_BYTES = 8_388_608;

/** @returns their inodes, by which fstat() knows them; empty where `/proc` cannot be read */
export async function readHalfClosed(root = "/proc/net"): Promise<ReadonlySet<number>> {
  const inodes = new Set<number>();
  await walkTcpTables(root, MAX_BYTES, (row) => {
    // Most rows are of other states, and to take a row apart costs much more than this.
    if (!row.includes(` ${CLOSE_WAIT} `)) return true;
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    const [, , , state, , , , , , inode = ""] = row.trim().split(/\s+/);
    if (state === CLOSE_WAIT && /^[1-9]\d*$/.test(inode)) inodes.add(Number(inode));
    return true;
  });
  return inodes;
}
