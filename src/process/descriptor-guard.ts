// A worker that listens on a descriptor by its number is given the master's by node:cluster. It may be one that the service was started with; any other
// is a socket of the master's own, which Node would close with the worker. Runs in the master.
import type { IsInherited } from "../system/inherited.ts";

/** No process has that many: Node's answer is EINVAL. */
const NO_DESCRIPTOR = 2 ** 31 - 1;

/**
 * @param message Node's own, from a worker
 * @param onRefused told of the number that is refused
 * @returns what Node may read
 */
export function guardDescriptors(message: object, isInherited: IsInherited, onRefused: (fd: number) => void): object {
  const { act, fd } = message as { readonly act?: unknown; readonly fd?: unknown };
  if (act !== "queryServer" || typeof fd !== "number" || fd < 0 || isInherited(fd)) return message;
  onRefused(fd);
  return { ...message, fd: NO_DESCRIPTOR };
}
