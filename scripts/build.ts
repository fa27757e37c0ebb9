// Builds what is published into dist: the sources bundled (Node opens eleven files instead of eighty before the first worker is forked), and
// their declarations. The preload is CommonJS: --require loads it several times faster than an ES module. libraries.ts has what is bundled of others.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin, stop } from "esbuild-wasm";
import { bundledLibraries, bundleLibraries } from "./libraries.ts";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });

const common: BuildOptions = {
  bundle: true,
  outdir: "dist",
  outbase: "src",
  platform: "node",
  target: "node22.19",
  packages: "external",
  logLevel: "warning",
};
/**
 * What the entry file loads only where no service comes of it, or seldom: bundles of their own, with copies of what they need. As parts of its bundle
 * they would cut the master's modules into as many files as there are combinations, and each file takes a third of a millisecond to load.
 */
const APART = [
  ...["help", "health", "config", "start", "stop-by-pid-file", "status", "order", "mistyped"].map((name) => `src/cli/${name}.ts`),
  ...["src/egg/service.ts", "src/config/run-code.ts"],
];
const apart: Plugin = {
  name: "apart",
  setup({ onResolve }) {
    onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir, kind }) => {
      const source = relative(".", join(resolveDir, path));
      if (kind !== "dynamic-import" || !APART.includes(source)) return undefined;
      return { path: source.replace(/^src\//, "../").replace(/\.ts$/, ".js"), external: true };
    });
  },
};

// One folder deep, as the sources are: what finds its own neighbours by import.meta.url finds them from a chunk too.
await emit({
  entryPoints: ["src/cli/rollcall.ts"],
  ...{ format: "esm", splitting: true, chunkNames: "chunks/[name]-[hash]", plugins: [bundledLibraries, apart] },
});
for (const entry of [
  ...APART,
  "src/config/config-child.ts",
  "src/index.ts",
  "src/egg.ts",
  "src/runtime/app.ts",
  "src/egg/agent.ts",
  "src/egg/worker.ts",
])
  await emit({ entryPoints: [entry], format: "esm" });
await emit({
  entryPoints: ["src/runtime/preload.ts"],
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  define: { "import.meta.filename": "__filename" },
});
await bundleLibraries("dist/libraries");
chmodSync("dist/cli/rollcall.js", 0o755);
await stop();

async function emit(options: BuildOptions): Promise<void> {
  const { outputFiles } = await build({ ...common, ...options, write: false });
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, withoutFacades(text));
  }
}

/**
 * Takes Node's own modules without their ES facades: making one reads every export, and so loads what Node would load later or never. `node:http`
 * alone brings all of undici (25 ms, 7 MiB).
 */
function withoutFacades(text: string): string {
  return text.replace(/^import (?:(\w+)|(?:(\w+), )?\{([^}]*)\}) from "(node:[\w/]+)";$/gm, (_, whole, also, names, id) => {
    const module = `process.getBuiltinModule("${id}")`;
    const lines: string[] = [whole, also].filter((name) => name !== undefined).map((name) => `const ${name} = ${module};`);
    if (names !== undefined) lines.push(`const {${names.replaceAll(" as ", ": ")}} = ${module};`);
    return lines.join("\n");
  });
}
