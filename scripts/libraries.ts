// The two libraries that are most of the master, each as one small file without what it never does: lightship (with fastify) and prom-client.
// Untouched they were half of its memory, for TLS, HTTP/2 and the compilers of JSON schemas above all.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { build, type Plugin } from "esbuild-wasm";

/** Each with what the master takes from it. */
const LIBRARIES: Readonly<Record<string, string>> = {
  lightship: "createLightship",
  "prom-client": "Counter, collectDefaultMetrics, Gauge, Histogram, Registry",
};

/** What they load of Node at once, and call in cases that never come here: the first call loads it. */
const WHEN_CALLED = ["https", "http2", "zlib"];

/** What they bring for routes with schemas, requests without a socket, and a log: the probes have none of them. */
const LEFT_OUT = ["@fastify/ajv-compiler", "@fastify/fast-json-stringify-compiler", "light-my-request", "pino"];

/** For the bundle of Rollcall's own sources: both of its folders of code are one folder deep. */
export const bundledLibraries: Plugin = {
  name: "bundled-libraries",
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path }) => (path in LIBRARIES ? { path: `../libraries/${path}.js`, external: true } : undefined));
  },
};

const trimmed: Plugin = {
  name: "trimmed",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^./]/ }, ({ path }) => {
      const name = path.replace("node:", "");
      if (WHEN_CALLED.includes(name)) return { path: name, namespace: "when-called" };
      if (LEFT_OUT.includes(name)) return { path: name, namespace: "left-out" };
      return isBuiltin(name) ? { path: name, namespace: "of-node" } : undefined;
    });
    // As build.ts takes them: an ES import loads all that a module of Node's exports.
    onLoad({ filter: /./, namespace: "of-node" }, ({ path }) => ({ contents: `module.exports = ${ofNode(path)};` }));
    onLoad({ filter: /./, namespace: "when-called" }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: (_, name) => (...given) => ${ofNode(path)}[name](...given) });`,
    }));
    onLoad({ filter: /./, namespace: "left-out" }, ({ path }) => ({
      contents: `module.exports = () => () => { throw new Error("${path} is left out of this bundle"); };`,
    }));
  },
};

function ofNode(name: string): string {
  return `process.getBuiltinModule("node:${name}")`;
}

export async function bundleLibraries(folder: string): Promise<void> {
  const inputs: string[] = [];
  for (const [name, taken] of Object.entries(LIBRARIES)) {
    const { metafile } = await build({
      stdin: { contents: `export { ${taken} } from "${name}";`, resolveDir: "." },
      outfile: join(folder, `${name}.js`),
      ...{ bundle: true, minify: true, metafile: true, plugins: [trimmed], logLevel: "warning" },
      ...{ format: "esm", platform: "node", target: "node22.19", legalComments: "none" },
    });
    inputs.push(...Object.keys(metafile.inputs));
  }
  writeFileSync(join(folder, "LICENSES.txt"), licensesOf(inputs));
}

/** Each license asks for a copy of itself beside each copy of the code. */
function licensesOf(inputs: readonly string[]): string {
  const folders = new Set(inputs.filter((path) => /(?:^|\/)node_modules\//.test(path)).map(packageOf));
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = readPackage(folder) ?? {};
    const files = readdirSync(folder).filter((each) => /^(licen[cs]e|notice)/i.test(each));
    const text = files.map((each) => readFileSync(join(folder, each), "utf8").trim()).join("\n\n");
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

/** A folder inside a package may have a package.json that only says how its files are read. */
function packageOf(path: string): string {
  const folder = dirname(path);
  return readPackage(folder)?.version === undefined ? packageOf(folder) : folder;
}

function readPackage(folder: string): Partial<Record<"name" | "version" | "license", string>> | null {
  const file = join(folder, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
}
