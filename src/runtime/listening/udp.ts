// A UDP socket without a port of its own choice is a client's: node:cluster would give all workers the same one, and each of them some of the others'
// answers. It is this worker's alone, as it is where send() binds it. Runs in a worker.
import diagnostics from "node:diagnostics_channel";

interface Prototype {
  bind(...args: unknown[]): unknown;
}

export function keepUdpClientsApart(): void {
  // At the first socket: whoever has none does not load node:dgram.
  const onSocket = (): void => {
    diagnostics.unsubscribe("udp.socket", onSocket);
    const prototype = process.getBuiltinModule("node:dgram").Socket.prototype as Prototype;
    const { bind } = prototype;
    prototype.bind = function (...args): unknown {
      return bind.apply(this, [...exclusively(args)]);
    };
  };
  diagnostics.subscribe("udp.socket", onSocket);
}

/** The arguments of a bind(): with any port, and neither a descriptor, a handle nor a word about it, it is exclusive. */
export function exclusively(args: readonly unknown[]): readonly unknown[] {
  const [first, second] = args;
  const options =
    typeof first === "object" && first !== null
      ? first
      : { port: typeof first === "function" ? 0 : first, ...(typeof second === "string" ? { address: second } : {}) };
  // Of a handle these are its class's.
  const { port, fd, exclusive, recvStart } = options as Partial<Record<"port" | "fd" | "exclusive" | "recvStart", unknown>>;
  if (Number(port ?? 0) !== 0 || fd !== undefined || exclusive !== undefined || recvStart !== undefined) return args;
  return [{ ...options, port: 0, exclusive: true }, ...args.filter((each) => typeof each === "function")];
}
