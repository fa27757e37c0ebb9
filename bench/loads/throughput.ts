// Saturating loads by wrk: how much, how fast, and the tail.
import { askOnce, connect } from "../request.ts";
import { wrk } from "../wrk.ts";
import { type Load, metric } from "./load.ts";

/** The loads on `/` come first and warm up for the others. */
const WARM_UP_SECONDS = 1;

const tail = [metric("p50", "p50 ms", 1), metric("p99", "p99 ms", 1, true), metric("max", "max ms", 0)];

export const throughputs: readonly Load[] = [
  load("keep-alive", "Keep-alive, 64 connections", "hello, on connections that stay", { path: "/", connections: 64, keepAlive: true }),
  load("close", "One connection per request, 64 at a time", "hello, `Connection: close`", { path: "/", connections: 64, keepAlive: false }),
  load("cpu-8", "2 ms of CPU per request, 8 connections", "keep-alive", { path: "/cpu", connections: 8, keepAlive: true }),
  load("cpu-64", "2 ms of CPU per request, 64 connections", "keep-alive", { path: "/cpu", connections: 64, keepAlive: true }),
  load("mix-50", "1 % of requests burn 50 ms of CPU", "one connection per request, 64 at a time; every hundredth request of a worker", {
    path: "/mix-50",
    connections: 64,
    keepAlive: false,
  }),
  load("mix-200", "1 % of requests burn 200 ms of CPU", "one connection per request, 64 at a time; every hundredth request of a worker", {
    path: "/mix-200",
    connections: 64,
    keepAlive: false,
  }),
];

interface Shape {
  readonly path: string;
  readonly connections: number;
  readonly keepAlive: boolean;
}

function load(name: string, title: string, how: string, shape: Shape): Load {
  return {
    name,
    title,
    how,
    metrics: [metric("rps", "requests/s", 0, true), ...tail],
    isFor: () => true,
    onShared: true,
    async run({ shared, seconds, problem }) {
      const { path } = shape;
      const { port } = (await shared()).options;
      const bytesEach = await sizeOf(port, shape);
      const options = { ...shape, port, bytesEach };
      if (path === "/") await wrk({ ...options, seconds: WARM_UP_SECONDS });
      const { requestsPerSecond, p50Ms, p99Ms, maxMs, problems } = await wrk({ ...options, seconds });
      problems.forEach(problem);
      return { rps: requestsPerSecond, p50: p50Ms, p99: p99Ms, max: maxMs };
    },
  };
}

async function sizeOf(port: number, { path, keepAlive }: Shape): Promise<number> {
  if (!keepAlive) return (await askOnce(port, path, 5_000)).bytes;
  const connection = connect(port, true);
  try {
    return (await connection.ask(path, 5_000)).bytes;
  } finally {
    connection.close();
  }
}
