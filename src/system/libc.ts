// The few calls of the C library that Node does not offer: through koffi, an optional dependency, loaded when the first of them is needed. Runs in the
// master. Its one rule: whoever asks must be able to go on without.
import { createRequire } from "node:module";

export interface Libc {
  /** Reaps a dead child. @returns its wait status, or null when there is no such dead child */
  reap(pid: number): number | null;
  /** A dead child that nobody has waited for, left as it is; null when there is none. */
  peek(): number | null;
  /** Orphans below this process become its children from now on. @returns 0 or an errno */
  becomeSubreaper(): number;
  /** Sends one datagram to a unix socket, abstract ones with "@" or a zero first. @returns 0 or an errno */
  sendDatagram(path: string, text: string): number;
}

/** What is used of koffi. Not its own types: where it is not installed, the rest must still compile. */
interface Koffi {
  load(path: null): { func(declaration: string): (...values: unknown[]) => number };
  errno(): number;
}

const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const P_ALL = 0;
const PR_SET_CHILD_SUBREAPER = 36;
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const ENAMETOOLONG = 36;
/** What sockaddr_un has room for. */
const LONGEST_PATH = 108;
const SIGINFO_BYTES = 128;
/** Of si_pid: behind three ints, and what aligns the rest. */
const SI_PID_OFFSET = /64|s390x/.test(process.arch) ? 16 : 12;

let loaded: Libc | null = null;

/** Whether koffi and its binary for this platform are installed; without loading them. */
export function hasKoffi(): boolean {
  try {
    const koffi = createRequire(import.meta.url).resolve("koffi");
    createRequire(koffi).resolve(`@koromix/koffi-${process.platform}-${process.arch}`);
    return true;
  } catch {
    return false;
  }
}

/** @throws Error that says why: not installed, or it cannot be loaded here */
export function loadLibc(): Libc {
  if (loaded !== null) return loaded;
  if (process.platform !== "linux") throw new Error(`only Linux has these calls, this is ${process.platform}`);
  if (!hasKoffi()) throw new Error("the optional dependency koffi is not installed");
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  loaded = bindCalls(koffi);
  return loaded;
}

function bindCalls(koffi: Koffi): Libc {
  const libc = koffi.load(null);
  const waitpid = libc.func("int waitpid(int pid, void *status, int options)");
  const waitid = libc.func("int waitid(int type, uint id, void *info, int options)");
  const prctl = libc.func("int prctl(int option, ulong a, ulong b, ulong c, ulong d)");
  const socket = libc.func("int socket(int domain, int type, int protocol)");
  const sendto = libc.func(
    "intptr_t sendto(int fd, const void *buffer, size_t length, int flags, const void *address, uint addressLength)",
  );
  const close = libc.func("int close(int fd)");
  const status = Buffer.alloc(4);
  const info = Buffer.alloc(SIGINFO_BYTES);

  return {
    reap: (pid) => (pid > 0 && waitpid(pid, status, WNOHANG) === pid ? readInt(status, 0) : null),
    peek() {
      info.fill(0);
      const pid = waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) === 0 ? readInt(info, SI_PID_OFFSET) : 0;
      return pid > 0 ? pid : null;
    },
    becomeSubreaper: () => (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) === 0 ? 0 : koffi.errno()),
    sendDatagram(path, text) {
      const address = unixAddress(path);
      if (address === null) return ENAMETOOLONG;
      const fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
      if (fd < 0) return koffi.errno();
      const data = Buffer.from(text);
      const sent = sendto(fd, data, data.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);
      const errno = sent < 0 ? koffi.errno() : 0;
      close(fd);
      return errno;
    },
  };
}

/** A sockaddr_un; an abstract name fills it to its end, without a final zero. */
function unixAddress(path: string): Buffer | null {
  const name = Buffer.from(path);
  const isAbstract = name[0] === 0x40 || name[0] === 0;
  if (isAbstract) name[0] = 0;
  if (name.length > LONGEST_PATH - (isAbstract ? 0 : 1)) return null;
  const family = Buffer.alloc(2);
  if (isLittleEndian()) family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  return Buffer.concat([family, name, ...(isAbstract ? [] : [Buffer.alloc(1)])]);
}

function readInt(buffer: Buffer, offset: number): number {
  return isLittleEndian() ? buffer.readInt32LE(offset) : buffer.readInt32BE(offset);
}

function isLittleEndian(): boolean {
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
}
