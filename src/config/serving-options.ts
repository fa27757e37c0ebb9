// The part of the table of options that is for apps which export a handler, and for applications of Egg. Runs in the master, at start only.
import { egg } from "./kinds.ts";
import { file, type Option, type Settings } from "./option.ts";
import { oneOf } from "./values.ts";

type Serving = "egg" | "serve" | "httpsKey" | "httpsCert" | "httpsCa" | "httpsPassphrase";

export const SERVING: { readonly [K in Serving]: Option<Settings[K]> } = {
  egg: {
    name: "egg",
    kind: egg,
    default: null,
    meaning: "the folder of an Egg 3 or 4 application, unmodified, in the place of an app and an agent; the working folder unless given",
  },
  serve: {
    name: "serve",
    kind: oneOf("<word>", "auto", "export", "never"),
    default: "auto",
    meaning: "a handler that the app exports is served: auto (if it does not listen by itself), export (at once) or never",
  },
  httpsKey: { name: "https-key", kind: file, default: null, meaning: "PEM file: an exported handler is served by https" },
  httpsCert: { name: "https-cert", kind: file, default: null, meaning: "PEM file with the certificate and its chain" },
  httpsCa: { name: "https-ca", kind: file, default: null, meaning: "PEM file with other authorities" },
  httpsPassphrase: { name: "https-passphrase", kind: file, default: null, meaning: "file with the passphrase of the key" },
};
