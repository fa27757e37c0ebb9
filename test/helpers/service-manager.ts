// Plays systemd: a notification socket that is read, and listening sockets that this process binds and never accepts from. By koffi, as Node has neither.
import { createRequire } from "node:module";
import type { TestContext } from "node:test";
import { hasKoffi } from "../../src/system/libc.ts";

type Call = (...values: unknown[]) => number;
interface Koffi {
  load(path: null): { func(declaration: string): Call };
  errno(): number;
}

/** False, or why a test is skipped. */
export const noServiceManager: false | string =
  process.platform !== "linux" ? "needs Linux" : !hasKoffi() && "koffi is not installed: npm ci";

const [AF_UNIX, AF_INET, SOCK_STREAM, SOCK_DGRAM, SOCK_CLOEXEC] = [1, 2, 1, 2, 0o2000000];
const [SOL_SOCKET, SO_REUSEADDR] = [1, 2];
const MSG_DONTWAIT = 0x40;
const READ_EVERY_MS = 5;

function bindLibc() {
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  const libc = koffi.load(null);
  const check = (call: Call, name: string): Call => {
    return (...values) => {
      const result = call(...values);
      if (result < 0) throw new Error(`${name}: errno ${koffi.errno()}`);
      return result;
    };
  };
  return {
    socket: check(libc.func("int socket(int domain, int type, int protocol)"), "socket"),
    setsockopt: check(libc.func("int setsockopt(int fd, int level, int name, const void *value, uint length)"), "setsockopt"),
    bind: check(libc.func("int bind(int fd, const void *address, uint length)"), "bind"),
    listen: check(libc.func("int listen(int fd, int backlog)"), "listen"),
    recv: libc.func("intptr_t recv(int fd, void *buffer, size_t length, int flags)"),
    close: libc.func("int close(int fd)"),
  };
}

export interface NotifySocket {
  /** Every datagram so far. */
  readonly received: readonly string[];
  readonly has: (line: RegExp) => boolean;
}

/** @param path of a file, or with "@" an abstract name */
export function openNotifySocket(t: TestContext, path: string): NotifySocket {
  const libc = bindLibc();
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const name = path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`;
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(name)]);
  libc.bind(fd, address, address.length);
  const received: string[] = [];
  const buffer = Buffer.alloc(4_096);
  const read = (): void => {
    for (let size = libc.recv(fd, buffer, buffer.length, MSG_DONTWAIT); size > 0; size = libc.recv(fd, buffer, buffer.length, MSG_DONTWAIT))
      received.push(buffer.toString("utf8", 0, size));
  };
  const timer = setInterval(read, READ_EVERY_MS);
  t.after(() => {
    clearInterval(timer);
    libc.close(fd);
  });
  return { received, has: (line) => received.some((text) => text.split("\n").some((each) => line.test(each))) };
}

/** A listening socket on 127.0.0.1 that nobody in this process accepts from: its descriptor. */
export function openListeningSocket(t: TestContext, port: number): number {
  const libc = bindLibc();
  const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  t.after(() => void libc.close(fd));
  const address = Buffer.alloc(16);
  address[0] = AF_INET;
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  // As systemd does, and Node: connections of the port's last user may still be about to end.
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, Buffer.from(new Int32Array([1]).buffer), 4);
  libc.bind(fd, address, address.length);
  libc.listen(fd, 128);
  return fd;
}

/** Put before the master, says that the descriptors from 3 on are meant for it. */
export const ACTIVATED: readonly string[] = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"];
