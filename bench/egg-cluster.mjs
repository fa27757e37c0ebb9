// Starts an application as egg-scripts does: by startCluster() of its own framework, which is egg-cluster's.
import { createRequire } from "node:module";

const options = JSON.parse(process.env.OPTIONS);
const require = createRequire(`${options.baseDir}/package.json`);
// Egg 4 has a class of that name, Egg 3 a function.
const { startCluster } = require("egg");
startCluster(options);
