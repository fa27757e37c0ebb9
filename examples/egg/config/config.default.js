// As in any application of Egg. Containers have a read-only file system: logs and dumps go where it may write.
const folder = process.env.EGG_LOGS ?? "/tmp/egg";

export default () => ({
  keys: process.env.KEYS ?? "change me",
  logger: { dir: `${folder}/logs` },
  rundir: `${folder}/run`,
});
