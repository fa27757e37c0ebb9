// From argv, environment and files to the effective Config, or to every problem at once. Runs in the master, at start only.
// Its one rule: the strongest source wins, and no source's mistake hides behind another's.

import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { ownFile } from "../package/own-file.ts";
import { crossCheck } from "./checks.ts";
import type { Config, EggSetting, Provenance } from "./config.ts";
import { resolveEgg, startFolderOf } from "./egg.ts";
import { type Resolved, resolveEntry, resolveFile, resolveFolder } from "./entry.ts";
import { readEnvironment, readPort } from "./environment.ts";
import { type ConfigFile, layerOf, readConfigFile } from "./file.ts";
import { type Flags, readFlags } from "./flags.ts";
import type { Handed } from "./handed.ts";
import { EMPTY_LAYER, type Given, type Layer } from "./layer.ts";
import { type AnyOption, OPTION_LIST } from "./option-list.ts";
import { type Key, type Settings, USAGE } from "./options.ts";

export interface ConfigInput {
  /** What follows the command's name. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean;
  /** How long a config file that is code may take, in milliseconds; default 10,000. */
  readonly configDeadlineMs?: number;
  /** What a program gave to `start()`: stronger than everything else. */
  readonly handed?: Handed | null;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly provenance: readonly Provenance[]; readonly file: string | null }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Precedence: what was handed over, flags, `ROLLCALL_*`, the config file or `package.json#rollcall`, `PORT` (for `port`), defaults.
 * Never throws for what a user did: every problem of every source is in `problems`, each with its source's name.
 */
export async function resolveConfig(input: ConfigInput): Promise<ConfigResult> {
  const { flags, asked, start, fileStart, startOf, file, layers } = await readSources(input);
  // Whether an option is missing or fits the others cannot be said without the file.
  const isComplete = start.ok && file.kind !== "failed";
  const merged = merge(layers, input);
  const problems = [...layers.flatMap((layer) => layer.problems), ...(file.kind === "failed" ? [file.problem] : []), ...merged.problems];
  const { settings, sources, bad } = merged;
  const sourceOf = (key: Key): string => sources.get(key)?.source ?? "default";
  if (isComplete) problems.push(...crossCheck(settings, sourceOf, bad));

  const fromFile = file.kind === "found" && asked("cwd") === undefined && !bad.has("cwd") ? file.layer.given.get("cwd") : undefined;
  const folder = start.ok && fromFile !== undefined ? folderOf(fromFile, fileStart) : start;
  if (!folder.ok) return { ok: false, problems: [...problems, folder.problem] };

  // One that was asked for before the file was read is the working folder itself, unless another is given.
  const isStart = start.ok && asked("egg") !== undefined && asked("cwd") === undefined;
  const eggFolder = isStart ? start.path : resolve(folder.path, settings.egg?.folder ?? ".");
  const pathStart = (key: Key): string => (fromFile === undefined ? startOf(key) : folder.path);
  const paths = resolvePaths(settings, { startOf: pathStart, eggFolder }, (key) => sources.get(key)?.label ?? key);
  problems.push(...paths.problems);
  if (settings.app === null && settings.egg === null && isComplete && !bad.has("app")) problems.push(`app: none given; usage: ${USAGE}`);
  if (problems.length > 0) return { ok: false, problems };

  const provenance = OPTION_LIST.filter((option) => option.key !== "config").map((option) => ({
    option: option.name,
    source: option.key === "cwd" && isStart && fromFile === undefined ? (asked("egg")?.source ?? "default") : sourceOf(option.key),
  }));
  const config = configOf(settings, paths, input.handed?.appArgs ?? flags.appArgs, { cwd: folder.path, startOf: pathStart });
  return { ok: true, config, provenance, file: file.kind === "found" ? file.path : null };
}

/**
 * The port that the probes answer on, for a client: it needs no app, and never fails. What is wrong is passed over, since
 * the service itself refuses it. Same precedence as `resolveConfig`.
 */
export async function resolveProbesPort(input: ConfigInput): Promise<number> {
  return merge((await readSources(input)).layers, input).settings.probesPort;
}

/** The path that environment or config file give for the control socket, for a client: null for none, or "off". As `resolveProbesPort`. */
export async function resolveControl(input: ConfigInput): Promise<string | null> {
  const { layers, startOf } = await readSources(input);
  return controlIn(merge(layers, input).settings, startOf);
}

function controlIn({ control }: Settings, startOf: (key: Key) => string): string | null {
  return control === null || control === "off" ? control : resolve(startOf("control"), control);
}

interface Sources {
  readonly flags: Flags;
  /** What flags or environment say: the options that decide where the file is. */
  readonly asked: (key: Key) => Given | undefined;
  /** The working folder, unless the file names another: that of the application, where one of Egg is asked for. */
  readonly start: Resolved;
  /** Where the file is looked for, and where the paths in it start. */
  readonly fileStart: string;
  /** Where the path of an option starts: the application's folder moves no path that was given outside of it. */
  readonly startOf: (key: Key) => string;
  readonly file: ConfigFile;
  /** The strongest first. */
  readonly layers: readonly Layer[];
}

async function readSources(input: ConfigInput): Promise<Sources> {
  const flags = readFlags(input.argv);
  const environment = readEnvironment(input.env);
  const handed = input.handed == null ? EMPTY_LAYER : layerOf(input.handed.options, "start()", true);
  const asked = (key: Key): Given | undefined => handed.given.get(key) ?? flags.given.get(key) ?? environment.given.get(key);
  const start = folderOf(asked("cwd") ?? startFolderOf(asked("egg")), input.cwd);
  const base = start.ok && asked("cwd") !== undefined ? start.path : input.cwd;
  const fileStart = start.ok && asked("config") === undefined ? start.path : base;
  const startOf = (key: Key): string => (asked(key) === undefined ? fileStart : base);
  const deadlineMs = input.configDeadlineMs ?? 10_000;
  const file: ConfigFile = start.ok ? await readConfigFile(fileStart, asked("config"), input.env, deadlineMs) : { kind: "none" };
  const fileLayer = file.kind === "found" ? file.layer : EMPTY_LAYER;
  return { flags, asked, start, fileStart, startOf, file, layers: [handed, flags, environment, fileLayer, readPort(input.env)] };
}

interface Merged {
  readonly settings: Settings;
  readonly sources: ReadonlyMap<Key, { source: string; label: string }>;
  readonly bad: ReadonlySet<Key>;
  readonly problems: readonly string[];
}

/** Parses every value of every layer, so that a bad one is told even where a stronger source wins. */
function merge(layers: readonly Layer[], input: ConfigInput): Merged {
  const settings: Partial<Record<Key, unknown>> = {};
  const sources = new Map<Key, { source: string; label: string }>();
  const bad = new Set<Key>();
  const problems: string[] = [];
  for (const option of OPTION_LIST) {
    for (const given of layers.flatMap((layer) => layer.given.get(option.key) ?? [])) {
      const parsed = option.kind.parse(given.raw);
      if (!parsed.ok) {
        bad.add(option.key);
        problems.push(`${given.label}: ${parsed.problem}`);
      } else if (!sources.has(option.key)) {
        settings[option.key] = parsed.value;
        sources.set(option.key, given);
      }
    }
    if (!sources.has(option.key)) {
      const usual = defaultOf(option, input);
      settings[option.key] = usual.value;
      sources.set(option.key, { source: usual.source, label: option.name });
    }
  }
  return { settings: settings as unknown as Settings, sources, bad, problems };
}

function defaultOf(option: AnyOption, input: ConfigInput): { value: unknown; source: string } {
  const isKubernetes = (input.env.KUBERNETES_SERVICE_HOST ?? "") !== "";
  if (option.inKubernetes !== undefined && isKubernetes) return { value: option.inKubernetes, source: "default in Kubernetes" };
  if (option.onTerminal !== undefined && input.isTerminal) return { value: option.onTerminal, source: "default on a terminal" };
  return { value: option.default, source: "default" };
}

function folderOf(given: Given | undefined, cwd: string): Resolved {
  if (given === undefined || typeof given.raw !== "string") return { ok: true, path: cwd };
  const folder = resolveFolder(given.raw, cwd);
  return folder.ok ? folder : { ok: false, problem: `${given.label}: ${folder.problem}` };
}

type HttpsKey = "httpsKey" | "httpsCert" | "httpsCa" | "httpsPassphrase";

interface Paths {
  readonly app: string;
  readonly agent: string | null;
  readonly egg: EggSetting | null;
  readonly imports: readonly string[];
  readonly requires: readonly string[];
  readonly https: Pick<Config, HttpsKey>;
  readonly problems: readonly string[];
}

interface Folders {
  readonly startOf: (key: Key) => string;
  readonly eggFolder: string;
}

function resolvePaths(settings: Settings, { startOf, eggFolder }: Folders, labelOf: (key: Key) => string): Paths {
  const problems: string[] = [];
  const entry = (key: Key, path: string): string => {
    const resolved = resolveEntry(path, startOf(key));
    if (!resolved.ok) problems.push(`${labelOf(key)}: ${resolved.problem}`);
    return resolved.ok ? resolved.path : path;
  };
  const file = (key: HttpsKey): string | null => {
    const path = settings[key];
    if (path === null) return null;
    const resolved = resolveFile(path, startOf(key));
    if (!resolved.ok) problems.push(`${labelOf(key)}: ${resolved.problem}`);
    return resolved.ok ? resolved.path : path;
  };
  const egg = settings.egg === null ? null : resolveEgg(settings.egg, eggFolder);
  if (egg?.ok === false) problems.push(`${labelOf("egg")}: ${egg.problem}`);
  const [ownApp, ownAgent] = egg === null ? ["", null] : [ownFile("egg/worker", ".js"), ownFile("egg/agent", ".js")];
  return {
    https: { httpsKey: file("httpsKey"), httpsCert: file("httpsCert"), httpsCa: file("httpsCa"), httpsPassphrase: file("httpsPassphrase") },
    app: settings.app === null ? ownApp : entry("app", settings.app),
    agent: settings.agent === null ? ownAgent : entry("agent", settings.agent),
    egg: egg?.ok === true ? egg.setting : null,
    imports: settings.imports.map((each) => (isPath(each) ? pathToFileURL(entry("imports", each)).href : each)),
    requires: settings.requires.map((each) => (isPath(each) ? entry("requires", each) : each)),
    problems,
  };
}

/** A package's name is left to Node, which looks it up from the app's folder. */
function isPath(specifier: string): boolean {
  return /^\.{1,2}\//.test(specifier) || isAbsolute(specifier);
}

interface Starts {
  readonly cwd: string;
  readonly startOf: (key: Key) => string;
}

function configOf(settings: Settings, paths: Paths, appArgs: readonly string[], { cwd, startOf }: Starts): Config {
  const {
    "backoff.delayMs": delayMs,
    "backoff.factor": factor,
    "backoff.limitMs": limitMs,
    "backoff.resetMs": resetMs,
    "backoff.jitter": jitter,
    config: _config,
    ...rest
  } = settings;
  return {
    ...rest,
    ...paths.https,
    app: paths.app,
    appArgs,
    agent: paths.agent,
    egg: paths.egg,
    imports: paths.imports,
    requires: paths.requires,
    pidFile: settings.pidFile === null ? null : resolve(startOf("pidFile"), settings.pidFile),
    control: controlIn(settings, startOf),
    cwd,
    backoff: { delayMs, factor, limitMs, resetMs, jitter },
  };
}
