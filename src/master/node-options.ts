// What NODE_OPTIONS makes Node load into the master, which is to run nothing of the app's. Runs in the master, at start.

const LOADING = /(?:^|\s)(--require|-r|--import|--loader|--experimental-loader)(?=[=\s])/;

/** @returns words for the log; null where there is nothing to say */
export function remarkOnNodeOptions(env: NodeJS.ProcessEnv): string | null {
  const option = LOADING.exec(env.NODE_OPTIONS ?? "")?.[1];
  if (option === undefined) return null;
  return `NODE_OPTIONS: ${option} loads its module into the master as well; --require and --import of Rollcall's own, or --env NODE_OPTIONS=…, are for the children alone`;
}
