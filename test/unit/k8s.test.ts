// Holds k8s/ to the official schemas, to the restricted Pod Security profile and to what Rollcall does: ports, probes,
// stop budget. kubectl is asked too, where it is installed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Deployment, type IDeployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Namespace, Service } from "kubernetes-models/v1";
import { parseAllDocuments } from "yaml";
import { OPTIONS } from "../../src/config/options.ts";

const K8S = fileURLToPath(new URL("../../k8s", import.meta.url));

/** The built-in kinds we ship; a new one must be added here, or its manifest would go unchecked. */
const MODELS: Readonly<Record<string, { readonly prototype: { validate(): void } }>> = {
  "v1/Namespace": Namespace,
  "v1/Service": Service,
  "apps/v1/Deployment": Deployment,
  "autoscaling/v2/HorizontalPodAutoscaler": HorizontalPodAutoscaler,
  "networking.k8s.io/v1/NetworkPolicy": NetworkPolicy,
  "policy/v1/PodDisruptionBudget": PodDisruptionBudget,
};
/** Kinds of kustomize and of the Prometheus operator, whose schemas the cluster does not bring. */
const FOREIGN_GROUPS = ["kustomize.config.k8s.io/", "monitoring.coreos.com/"];

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly [key: string]: unknown;
}
interface Kustomization extends Manifest {
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
}

describe("every manifest", () => {
  for (const file of yamlFiles()) {
    it(`satisfies the official schema, without unknown fields: ${file}`, () => {
      for (const manifest of documents(file)) {
        const type = `${manifest.apiVersion}/${manifest.kind}`;
        if (FOREIGN_GROUPS.some((group) => type.startsWith(group))) continue;
        const model = MODELS[type];
        assert.ok(model, `expected one of ${Object.keys(MODELS).join(", ")}, got ${type}: add its model to this test`);
        assert.deepEqual(
          unreadFields(manifest, (data) => model.prototype.validate.call(data)),
          [],
          `unknown fields in ${file}`,
        );
      }
    });
  }

  it("exists if a kustomization names it, and is named by one if it exists", () => {
    const kustomizations = yamlFiles().filter(isKustomization);
    assert.ok(kustomizations.includes("kustomization.yaml"));
    const named = kustomizations.flatMap((file) => {
      const { resources = [], components = [] } = documents(file)[0] as Kustomization;
      return [...resources, ...components].map((entry) => join(dirname(file), entry));
    });
    assert.deepEqual(
      named.filter((entry) => !existsSync(join(K8S, entry))),
      [],
      "named but missing",
    );
    assert.deepEqual(
      yamlFiles().filter((file) => !isKustomization(file) && !named.includes(file)),
      [],
      "there, but unreachable",
    );
  });

  it("selects the pods of the deployment", () => {
    const labels = pod().metadata?.labels ?? {};
    for (const file of ["service.yaml", "pdb.yaml", "networkpolicy.yaml", "monitoring/podmonitor.yaml"]) {
      const { spec } = documents(file)[0] as { spec?: { selector?: unknown; podSelector?: unknown } } & Manifest;
      const selector = (spec?.selector ?? spec?.podSelector ?? {}) as { matchLabels?: Record<string, string> };
      for (const [key, value] of Object.entries(selector.matchLabels ?? selector)) {
        assert.equal(labels[key], value, `${file} selects ${key}=${String(value)}`);
      }
    }
  });
});

describe("the pod", () => {
  it("satisfies the restricted Pod Security profile, with a read-only root", () => {
    const { spec } = pod();
    assert.equal(spec?.securityContext?.runAsNonRoot, true);
    assert.equal(spec?.securityContext?.runAsUser, 1000);
    assert.equal(spec?.securityContext?.seccompProfile?.type, "RuntimeDefault");
    for (const forbidden of ["hostNetwork", "hostPID", "hostIPC"] as const) assert.ok(!spec?.[forbidden], forbidden);
    for (const volume of spec?.volumes ?? []) assert.ok(volume.emptyDir, `volume ${volume.name} is not an emptyDir`);
    for (const { name, securityContext: own, ports = [] } of spec?.containers ?? []) {
      assert.equal(own?.allowPrivilegeEscalation, false, name);
      assert.equal(own?.readOnlyRootFilesystem, true, name);
      assert.deepEqual(own?.capabilities, { drop: ["ALL"] }, name);
      assert.ok(!own?.privileged, name);
      for (const port of ports) assert.equal(port.hostPort, undefined, name);
    }
  });

  it("has a writable /tmp for the control socket", () => {
    const volume = container().volumeMounts?.find(({ mountPath }) => mountPath === "/tmp")?.name;
    assert.ok(pod().spec?.volumes?.some(({ name, emptyDir }) => name === volume && emptyDir));
  });

  it("outlives the stop budget by 5 seconds and has no preStop", () => {
    const graceMs = (pod().spec?.terminationGracePeriodSeconds ?? 30) * 1000;
    const declared = container().env?.some(({ name }) => name === "ROLLCALL_STOP_TIMEOUT");
    assert.ok(!declared, "ROLLCALL_STOP_TIMEOUT is set: teach this test to compare with it");
    const { inKubernetes, default: elsewhere } = OPTIONS.stopTimeoutMs;
    const neededMs = (inKubernetes ?? elsewhere) + 5000;
    assert.ok(graceMs >= neededMs, `expected a grace of at least ${neededMs} ms, got ${graceMs}`);
    assert.equal(container().lifecycle?.preStop, undefined);
  });

  it("is probed on the probes port only", () => {
    const ports = Object.fromEntries((container().ports ?? []).map(({ name, containerPort }) => [name, containerPort]));
    assert.deepEqual(ports, { http: 3000, probes: 9000, metrics: 9464 });
    const { startupProbe, livenessProbe, readinessProbe } = container();
    assert.deepEqual(startupProbe?.httpGet, { path: "/live", port: "probes" });
    assert.deepEqual(livenessProbe?.httpGet, { path: "/live", port: "probes" });
    assert.deepEqual(readinessProbe?.httpGet, { path: "/ready", port: "probes" });
  });

  it("tells Rollcall its CPU request and gives it a memory limit", () => {
    const cpus = container().env?.find(({ name }) => name === "ROLLCALL_CPUS")?.valueFrom?.resourceFieldRef;
    assert.equal(cpus?.resource, "requests.cpu");
    assert.equal(String(cpus?.divisor), "1");
    assert.match(String(container().resources?.requests?.cpu), /^[1-9]\d*$/, "a whole number: Kubernetes rounds up");
    assert.ok(container().resources?.limits?.memory);
  });

  it("never loses a replica in a rollout, and gets no variable from Services", () => {
    const { spec } = documents("deployment.yaml")[0] as unknown as IDeployment;
    assert.equal(spec?.strategy?.rollingUpdate?.maxUnavailable, 0);
    assert.equal(spec?.replicas, undefined, "the HPA owns the number");
    assert.equal(pod().spec?.enableServiceLinks, false);
  });
});

describe("kustomize", () => {
  const missing = runs("kubectl", ["kustomize", "--help"]) ? false : "no kubectl with kustomize on PATH";

  it("builds the base, alone and with monitoring", { skip: missing }, () => {
    const folder = mkdtempSync(join(tmpdir(), "rollcall-k8s-"));
    try {
      cpSync(K8S, folder, { recursive: true });
      assert.ok(!kustomize(folder).includes("PrometheusRule"));
      appendFileSync(join(folder, "kustomization.yaml"), "\ncomponents: [monitoring]\n");
      assert.deepEqual(
        kustomize(folder),
        [
          ...yamlFiles()
            .filter((file) => !isKustomization(file))
            .map(kindOf),
        ].sort(),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function yamlFiles(): string[] {
  return readdirSync(K8S, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.ya?ml$/.test(file))
    .sort();
}

function isKustomization(file: string): boolean {
  return /(^|\/)kustomization\.yaml$/.test(file);
}

function documents(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(K8S, file), "utf8")).map((document) => {
    assert.deepEqual(document.errors, [], `cannot parse ${relative(".", join(K8S, file))}`);
    return document.toJS() as Manifest;
  });
}

function kindOf(file: string): string {
  return documents(file)[0]?.kind ?? "";
}

function pod(): NonNullable<IDeployment["spec"]>["template"] {
  const template = (documents("deployment.yaml")[0] as unknown as IDeployment).spec?.template;
  assert.ok(template);
  return template;
}

function container(): NonNullable<ReturnType<typeof pod>["spec"]>["containers"][number] {
  const first = pod().spec?.containers[0];
  assert.ok(first);
  return first;
}

/** The generated validators let unknown fields pass, but they read every known one: what was never read is a typo. */
function unreadFields(manifest: Manifest, validate: (data: unknown) => void): string[] {
  const unread = new Set<string>();
  const watch = (value: unknown, path: string): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const paths = new Map(Object.keys(value).map((key) => [key, `${path}/${key}`]));
    const copy = Object.fromEntries([...paths].map(([key, at]) => [key, watch((value as Record<string, unknown>)[key], at)]));
    for (const at of paths.values()) unread.add(at);
    const read = (key: string | symbol): unknown => unread.delete(paths.get(String(key)) ?? "");
    return new Proxy(Array.isArray(value) ? Object.values(copy) : copy, {
      get(target, key) {
        read(key);
        return Reflect.get(target, key);
      },
      ownKeys(target) {
        Reflect.ownKeys(target).forEach(read);
        return Reflect.ownKeys(target);
      },
    });
  };
  validate(watch(manifest, ""));
  return [...unread];
}

function runs(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore", timeout: 20_000 }).status === 0;
}

function kustomize(folder: string): string[] {
  const { status, stdout, stderr } = spawnSync("kubectl", ["kustomize", folder], { encoding: "utf8", timeout: 20_000 });
  assert.equal(status, 0, stderr);
  return parseAllDocuments(stdout)
    .map((document) => (document.toJS() as Manifest).kind)
    .sort();
}
