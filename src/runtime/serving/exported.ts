// What an app's main module exports, if it can be served: a request listener, { fetch }, an app of a framework, a server, or a function that makes one.
// Pure, but for calling that function. Runs in a worker.
import type { RequestListener } from "node:http";
import type { Server } from "node:net";

/** What a web-standard handler is: `{ fetch }` of Hono, Elysia, h3 and of other runtimes. */
export type Fetch = (request: Request, environment: object) => Response | Promise<Response>;

export type Exported =
  | { readonly type: "listener"; readonly listener: RequestListener }
  | { readonly type: "fetch"; readonly fetch: Fetch }
  /** One that does not listen yet. */
  | { readonly type: "server"; readonly server: Server }
  /** It makes its own server, as Fastify does. */
  | { readonly type: "framework"; readonly listen: (options: object) => Promise<unknown> }
  | { readonly type: "factory"; readonly make: () => unknown };

type Parts = Readonly<Record<string, unknown>>;

/** The default export, or what CommonJS exports. Null: nothing that can be served. */
export function findExported(exports: unknown): Exported | null {
  const { default: standard } = (exports ?? {}) as Parts;
  const { default: inner } = (standard ?? {}) as Parts;
  for (const candidate of [inner, standard, exports]) {
    const found = classify(candidate);
    if (found !== null) return found;
  }
  return null;
}

/** What one value is. */
export function classify(value: unknown): Exported | null {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return null;
  const parts = value as Parts;
  const isFunction = typeof value === "function";
  if (has(parts, "fetch") && !isClass(value)) return { type: "fetch", fetch: (parts.fetch as Fetch).bind(value) };
  if (has(parts, "callback") && has(parts, "listen"))
    return { type: "listener", listener: (parts.callback as () => RequestListener).call(value) };
  if (has(parts, "inject") && has(parts, "listen") && has(parts, "ready"))
    return { type: "framework", listen: (parts.listen as (options: object) => Promise<unknown>).bind(value) };
  if (has(parts, "getConnections") && has(parts, "listen")) return { type: "server", server: value as unknown as Server };
  if (isFunction && !isClass(value)) {
    const call = value as (...args: never[]) => unknown;
    return call.length >= 2 ? { type: "listener", listener: call as RequestListener } : { type: "factory", make: call };
  }
  // Polka and its like: an object with its listener in it.
  if (has(parts, "handler") && has(parts, "listen")) return { type: "listener", listener: (parts.handler as RequestListener).bind(value) };
  return null;
}

/** In words, for messages. */
export function describeExported({ type }: Exported): string {
  switch (type) {
    case "listener":
      return "a request listener";
    case "fetch":
      return "a fetch handler";
    case "server":
      return "a server that does not listen";
    case "framework":
      return "an app that makes its own server";
    case "factory":
      return "a function";
    default:
      return type satisfies never;
  }
}

/** In words what a module exports that cannot be served; null where it exports nothing, as an app that listens by itself. */
export function describeUnusable(exports: unknown): string | null {
  if (exports === null || exports === undefined) return null;
  // The namespace of an ES module has no prototype; one that a compiler has made CommonJS of has a mark.
  const isNamespace = typeof exports === "object" && (Object.getPrototypeOf(exports) === null || (exports as Parts).__esModule === true);
  const names = isNamespace ? Object.keys(exports) : [];
  const value = isNamespace ? (exports as Parts).default : exports;
  if (value === undefined) {
    const named = names.filter((name) => name !== "default" && name !== "module.exports");
    return named.length === 0 ? null : `only names (${named.slice(0, 5).join(", ")}${named.length > 5 ? ", …" : ""}) and no default`;
  }
  if (value === null) return "null";
  if (isClass(value)) return "a class";
  if (typeof value !== "object") return `a ${typeof value}`;
  const keys = Object.keys(value);
  if (keys.length === 0 && !isNamespace) return null;
  return keys.length === 0 ? "an empty object" : `an object with ${keys.slice(0, 5).join(", ")}${keys.length > 5 ? ", …" : ""}`;
}

function has(parts: Parts, name: string): boolean {
  return typeof parts[name] === "function";
}

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}
