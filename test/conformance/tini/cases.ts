// What the tests of tini, dumb-init and catatonit hold an init to, as far as it concerns one that supervises, and what nobody tests. Each case gives in a
// few words what it saw; `expected` is what Rollcall owes.
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { ask } from "../../helpers/load.ts";
import { childrenOf, isAlive, kill, stateOf } from "../../helpers/processes.ts";
import { AS_A_JOB, IN_A_TERMINAL } from "../../helpers/terminal.ts";
import { DEADLINE_MS, until } from "../../helpers/until.ts";
import { afterOrphans, ended, ending, fate, LOOK_MS, MORE, orphan, replaced, SAME, STOPS, serves, statusOf, stopsOrNot } from "./deeds.ts";
import { type Running, runWith, type Subject, start } from "./subjects.ts";

export interface Case {
  readonly title: string;
  /** Goes on with a running one that earlier cases have used. */
  readonly steady?: (running: Running) => Promise<string>;
  /** Begins anew. */
  readonly fresh?: (t: TestContext, subject: Subject) => Promise<string>;
  readonly expected: string | ((subject: Subject) => string);
  readonly skips?: (subject: Subject) => boolean;
  readonly isInTerminal?: true;
}

export const CASES: readonly Case[] = [
  {
    title: "100 orphans",
    expected: "0 zombies",
    steady: (running) => afterOrphans(running, () => orphan(running, 100, 200)),
  },
  {
    title: "1,000 orphans",
    expected: "0 zombies",
    steady: (running) => afterOrphans(running, () => orphan(running, 1_000, 200)),
  },
  {
    title: "orphans that exit with 3, 4 and 6, or by a signal",
    expected: "0 zombies",
    steady: (running) =>
      afterOrphans(running, async () => {
        for (const end of ["exit 3", "exit 4", "exit 6", "kill -SEGV $$", "kill -9 $$"]) await orphan(running, 5, 100, end);
      }),
  },
  {
    title: "an orphan of `docker exec`: it comes from outside the namespace",
    expected: "0 zombies",
    skips: ({ isSubreaper }) => isSubreaper,
    steady: (running) =>
      afterOrphans(running, async () => {
        const user = process.getuid?.() === 0 ? [] : ["--user"];
        const inside = ["--target", String(running.init), ...user, "--pid", "sh", "-c", "(sleep 0.2 &)"];
        const { status, stderr } = spawnSync("nsenter", inside);
        if (status !== 0) throw new Error(`nsenter: ${stderr}`);
      }),
  },
  {
    title: "the program's arguments, folder and environment",
    expected: "as given",
    fresh: async (t, subject) => {
      const running = await start(t, subject, { appArgs: ["-x", "a b", "--"], cwd: "/usr", env: { GIVEN: "a=b c" } });
      const { args, cwd, env } = JSON.parse((await ask(running.url("/"))).body);
      return JSON.stringify([args, cwd, env]) === JSON.stringify([["-x", "a b", "--"], "/usr", "a=b c"]) ? "as given" : "changed";
    },
  },
  {
    title: "signals that the program begins with",
    expected: "as a Node program of a shell",
    steady: async (running) => {
      const { SigBlk, SigIgn } = JSON.parse((await ask(running.url("/"))).body);
      const plain = spawnSync("sh", ["-c", `${process.execPath} -p 'fs.readFileSync("/proc/self/status", "latin1")'`], {
        encoding: "utf8",
      }).stdout;
      const isPlain = plain.includes(`SigBlk:\t${SigBlk}\n`) && plain.includes(`SigIgn:\t${SigIgn}\n`);
      return isPlain ? "as a Node program of a shell" : `blocked ${SigBlk}, ignored ${SigIgn}`;
    },
  },
  {
    title: "a pipe on stdin",
    expected: "passed through",
    fresh: async (t, subject) => {
      const running = await start(t, subject, { stdin: "pipe", env: { READS_STDIN: "1" }, flags: ["--workers", "1"] });
      running.stdin?.write("hello");
      const isThere = async (): Promise<boolean> => (await ask(running.url("/input"))).body === "hello";
      return (await until("the input is there", isThere).catch(() => false)) ? "passed through" : "lost";
    },
  },
  {
    title: "URG, WINCH, CONT",
    expected: "serves on",
    steady: async (running) => {
      for (const signal of ["SIGURG", "SIGWINCH", "SIGCONT"] as const) process.kill(running.init, signal);
      return (await serves(running)) && !running.hasEnded() ? "serves on" : "does not";
    },
  },
  {
    title: "USR1",
    // To the whole group, and so to the workers, which are plain Node programs.
    expected: ({ init: [command, mode] }) => (command === "dumb-init" && mode === undefined ? "opens Node's inspector" : "serves on"),
    steady: async (running) => {
      process.kill(running.init, "SIGUSR1");
      const isOpen = (): boolean => running.output().includes("Debugger listening");
      const isExpected = running.subject.init[0] === "dumb-init" && running.subject.init.length === 1;
      await until("the inspector is open", isOpen, isExpected ? DEADLINE_MS : LOOK_MS).catch(() => {});
      if (!(await serves(running))) return "does not serve";
      return isOpen() ? "opens Node's inspector" : "serves on";
    },
  },
  {
    title: "the program is killed",
    expected: "replaced",
    steady: async (running) => {
      return replaced(running, "/kill");
    },
  },
  {
    title: "the program exits with 7",
    expected: "replaced",
    steady: async (running) => {
      return replaced(running, "/exit?code=7");
    },
  },
  {
    title: "HUP",
    expected: "reloads",
    steady: async (running) => {
      const before = running.service === null ? 0 : (await statusOf(running)).generation;
      process.kill(running.init, "SIGHUP");
      return fate(running, async () => {
        await until(
          "a new generation serves",
          async () => (await statusOf(running)).generation > before && !(await statusOf(running)).reloading,
        );
        return "reloads";
      });
    },
  },
  {
    title: "USR2",
    expected: "logs its status",
    steady: async (running) => {
      process.kill(running.init, "SIGUSR2");
      return fate(running, async () => {
        await until("the status is logged", () => running.service?.hasLogged(/^status$/));
        return "logs its status";
      });
    },
  },
  {
    title: "TTIN",
    expected: expectedOfTtin,
    fresh: async (t, subject) => {
      const running = await start(t, subject);
      process.kill(running.init, "SIGTTIN");
      if (subject.isRollcall && expectedOfTtin(subject) === MORE) {
        await until("there is one worker more", async () => (await statusOf(running)).workersReady === 3);
        return MORE;
      }
      return stopsOrNot(running, subject.isRollcall && expectedOfTtin(subject) === STOPS);
    },
  },
  {
    title: "TSTP, then CONT",
    expected: expectedOfTstp,
    fresh: async (t, subject) => {
      const running = await start(t, subject);
      process.kill(running.init, "SIGTSTP");
      return stopsOrNot(running, subject.isRollcall && expectedOfTstp(subject) === STOPS);
    },
  },
  { title: "TERM, and the program handles it", expected: "exit 0", fresh: ending("SIGTERM", { env: { HANDLES_TERM: "1" } }) },
  { title: "TERM, and it does not", expected: "exit 0", fresh: ending("SIGTERM") },
  { title: "INT", expected: "exit 0", fresh: ending("SIGINT") },
  { title: "QUIT", expected: "exit 0", fresh: ending("SIGQUIT") },
  {
    title: "a signal that is no order: ALRM",
    expected: ({ isSubreaper }) => (isSubreaper ? "ended by SIGALRM" : "exit 142"),
    fresh: ending("SIGALRM"),
  },
  {
    title: "Ctrl-C in a terminal",
    isInTerminal: true,
    expected: "exit 0, on a terminal",
    fresh: async (t, subject) => {
      const running = await start(t, subject, { before: IN_A_TERMINAL });
      const { isTerminal } = JSON.parse((await ask(running.url("/"))).body);
      running.interrupt();
      return `${await ended(running)}, ${isTerminal ? "on a terminal" : "without a terminal"}`;
    },
  },
  {
    title: "Ctrl-Z and fg in a shell, not as PID 1",
    isInTerminal: true,
    expected: SAME,
    skips: ({ isSubreaper, isRollcall }) => isRollcall && !isSubreaper,
    fresh: async (t, subject) => {
      const running = await start(t, { ...subject, isSubreaper: true }, { before: AS_A_JOB });
      const before = childrenOf(running.init);
      process.kill(-running.init, "SIGTSTP");
      const all = [running.init, ...before];
      await until("all stop", () => all.every((pid) => stateOf(pid) === "T"), subject.isRollcall ? DEADLINE_MS : LOOK_MS).catch(() => {});
      const stopped = all.filter((pid) => stateOf(pid) === "T").length;
      process.kill(-running.init, "SIGCONT");
      await until("it goes on", async () => all.every((pid) => stateOf(pid) !== "T") && (await serves(running)));
      const isSame = JSON.stringify(childrenOf(running.init)) === JSON.stringify(before);
      return stopped === all.length && isSame ? SAME : `${stopped} of ${all.length} processes stop`;
    },
  },
  {
    title: "it is killed, and was not PID 1",
    expected: "the program ends",
    skips: ({ isSubreaper, isRollcall }) => isRollcall && !isSubreaper,
    fresh: async (t, subject) => {
      const running = await start(t, { ...subject, isSubreaper: true });
      const program = childrenOf(running.init);
      t.after(() => {
        for (const pid of program) kill(pid);
      });
      process.kill(running.init, "SIGKILL");
      const isGone = await until("the program ends", () => !program.some(isAlive), subject.isRollcall ? DEADLINE_MS : LOOK_MS).catch(
        () => false,
      );
      return isGone ? "the program ends" : "the program lives on";
    },
  },
  {
    title: "a program that does not exist",
    expected: "exit 2",
    fresh: async (t, subject) => `exit ${await runWith(t, subject, ["/nonexistent"])}`,
  },
  { title: "no arguments", expected: "exit 2", fresh: async (t, subject) => `exit ${await runWith(t, subject, [])}` },
  { title: "an unknown option", expected: "exit 2", fresh: async (t, subject) => `exit ${await runWith(t, subject, ["--nonsense"])}` },
  { title: "-h", expected: "exit 0", fresh: async (t, subject) => `exit ${await runWith(t, subject, ["-h"])}` },
  { title: "--version", expected: "exit 0", fresh: async (t, subject) => `exit ${await runWith(t, subject, ["--version"])}` },
];

/** tini and catatonit ignore it, dumb-init makes it a STOP for its whole group, and with -c passes it on. */
function expectedOfTtin({ init: [command, mode] }: Subject): string {
  if (command === undefined || mode === "-c") return MORE;
  return command === "dumb-init" ? STOPS : "serves on";
}

/** The default action of TSTP is for a process that is not PID 1, and whose group has a parent in its session: tini makes one. */
function expectedOfTstp({ init: [command, mode] }: Subject): string {
  return command === "tini" || (command === "dumb-init" && mode !== "-c") ? STOPS : "serves on";
}
