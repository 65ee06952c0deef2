"""What must hold of the manifests of an environment, rendered.

    python kubernetes.py ENVIRONMENT RENDERED.yaml [MIGRATE.yaml]
"""
import pathlib
import re
import sys
import tomllib

import yaml

ROOT = pathlib.Path(__file__).parents[2]
SERVICES = {"scoring-gateway": (8000, 9000), "model-server": (8010, 9010), "bias-monitor": (8020, 9020), "deployment-audit": (8030, 9030)}
PAIRS = ("scoring-gateway", "model-server")
SIZES = {"development": (1, 2), "staging": (2, 6), "production": (3, 10)}
# The call graph: who calls whom, on which port. A name in brackets is a namespace, one in angles a range of addresses.
STORES = {("<10.0.0.0/8>", 5432), ("<10.0.0.0/8>", 6379)}
OUT = {("<0.0.0.0/0>", 443), ("[observability]", 4317)}
CALLERS = {
    "scoring-gateway": {("[gateway]", 8000), ("bias-monitor", 8000), ("deployment-audit", 8000)},
    "model-server": {("scoring-gateway", 8010)},
    "bias-monitor": {("[gateway]", 8020), ("deployment-audit", 8020)},
    "deployment-audit": {("[gateway]", 8030)},
}
CALLED = {
    "scoring-gateway": {("model-server", 8010)} | STORES | OUT,
    "model-server": {("<10.0.0.0/8>", 6379)} | OUT,
    "bias-monitor": {("scoring-gateway", 8000)} | STORES | OUT,
    "deployment-audit": {("scoring-gateway", 8000), ("bias-monitor", 8020), ("[monitoring]", 9090)} | STORES | OUT,
}
DEMO_KEYS = ("nTyqVZsTFwlTW0VbFa/HTizO5aiXR4lww4DRuEqD0eI=", "OJG9I9m5cC3CQXHZOWBcgu5oyPGmSIG0w7nxtJutYZA=")


class Manifests:
    def __init__(self, environment, files):
        self.environment, self.problems = environment, []
        self.all = [it for file in files for it in yaml.safe_load_all(pathlib.Path(file).read_text()) if it]

    def equal(self, what, found, expected):
        if found != expected:
            self.problems.append(f"{what}: {found!r} instead of {expected!r}")

    def of(self, kind):
        return {it["metadata"]["name"]: it for it in self.all if it["kind"] == kind}

    def pods(self):
        """Every pod that something makes: its owner's name, its labels and its specification."""
        for it in self.all:
            spec = it.get("spec", {})
            if it["kind"] == "CronJob":
                spec = spec["jobTemplate"]["spec"]
            if it["kind"] in ("Deployment", "Job", "CronJob"):
                yield f"{it['kind']} {it['metadata']['name']}", spec["template"]["metadata"]["labels"], spec["template"]["spec"]

    def check(self):
        self.pods_are_restricted()
        self.services_have_their_tracks()
        self.walls_have_only_these_doors()
        self.names_exist()
        self.nothing_is_secret_here()
        self.rights_are_few()
        return self.problems

    def pods_are_restricted(self):
        namespace = self.of("Namespace")["fair-credit-scorer"]["metadata"]["labels"]
        self.equal("Pod Security", namespace["pod-security.kubernetes.io/enforce"], "restricted")
        for name, _, pod in self.pods():
            self.equal(f"{name}: token", pod["automountServiceAccountToken"], False)
            own = pod["securityContext"]
            self.equal(f"{name}: user", (own["runAsNonRoot"], own["runAsUser"] > 10_000), (True, True))
            self.equal(f"{name}: seccomp", own["seccompProfile"], {"type": "RuntimeDefault"})
            self.equal(f"{name}: host", {"hostNetwork", "hostPID", "hostIPC"} & set(pod), set())
            self.equal(f"{name}: host paths", [it for it in pod["volumes"] if "hostPath" in it], [])
            for container in pod["containers"]:
                context = container["securityContext"]
                self.equal(f"{name}: rights", (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"], context["capabilities"]), (False, True, {"drop": ["ALL"]}))
                self.equal(f"{name}: limits", sorted(container["resources"]["limits"]), ["cpu", "memory"])
                self.equal(f"{name}: requests", sorted(container["resources"]["requests"]), ["cpu", "memory"])
                if not re.fullmatch(r"[a-z0-9./-]+@sha256:[0-9a-f]{64}", container["image"]):
                    self.problems.append(f"{name}: {container['image']} is not named by digest")

    def services_have_their_tracks(self):
        deployments, scalers, budgets = self.of("Deployment"), self.of("HorizontalPodAutoscaler"), self.of("PodDisruptionBudget")
        tracks = [f"{it}-{track}" for it in PAIRS for track in ("blue", "green")]
        self.equal("deployments", set(deployments), set(tracks) | (set(SERVICES) - set(PAIRS)))
        self.equal("scalers", set(scalers), set(tracks))
        self.equal("budgets", set(budgets), set(tracks))
        for name, deployment in deployments.items():
            container = deployment["spec"]["template"]["spec"]["containers"][0]
            service = container["name"]
            public, admin = SERVICES[service]
            self.equal(f"{name}: ports", {it["name"]: it["containerPort"] for it in container["ports"]}, {"public": public, "admin": admin})
            probes = {kind: (container[kind]["httpGet"]["path"], container[kind]["httpGet"]["port"]) for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
            self.equal(f"{name}: probes", probes, {"startupProbe": ("/startup", "admin"), "livenessProbe": ("/health", "admin"), "readinessProbe": ("/ready", "admin")})
            variables = {it["name"]: it.get("value") for it in container["env"]}
            self.equal(f"{name}: environment", variables["ENVIRONMENT"], self.environment)
            pod = deployment["spec"]["template"]["spec"]
            self.equal(f"{name}: grace", pod["terminationGracePeriodSeconds"], 30)
            if service in PAIRS:
                self.equal(f"{name}: update", deployment["spec"]["strategy"]["rollingUpdate"], {"maxSurge": "25%", "maxUnavailable": 0})
                self.equal(f"{name}: replicas are the scaler's", "replicas" in deployment["spec"], False)
                self.equal(f"{name}: resources", (container["resources"]["requests"], container["resources"]["limits"]), ({"cpu": "500m", "memory": "1Gi"}, {"cpu": "1000m", "memory": "2Gi"}))
                self.equal(f"{name}: spread", [it["topologyKey"] for it in pod["topologySpreadConstraints"]], ["topology.kubernetes.io/zone", "kubernetes.io/hostname"])
                self.scaler(scalers[name])
            else:
                self.equal(f"{name}: one at a time", (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]), (1, "Recreate"))

    def scaler(self, scaler):
        name, spec = scaler["metadata"]["name"], scaler["spec"]
        self.equal(f"{name}: target", spec["scaleTargetRef"], {"apiVersion": "apps/v1", "kind": "Deployment", "name": name})
        self.equal(f"{name}: size", (spec["minReplicas"], spec["maxReplicas"]), SIZES[self.environment])
        targets = {it["resource"]["name"]: it["resource"]["target"]["averageUtilization"] for it in spec["metrics"]}
        self.equal(f"{name}: targets", targets, {"cpu": 70, "memory": 80})
        self.equal(f"{name}: scale down", spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"], 300)

    def walls_have_only_these_doors(self):
        policies = self.of("NetworkPolicy")
        self.equal("default", (policies["default-deny"]["spec"]), {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
        self.equal("policies", set(policies), {"default-deny", "names", "backup"} | set(SERVICES))
        for service, (_, admin) in SERVICES.items():
            spec = policies[service]["spec"]
            self.equal(f"{service}: covers", spec["podSelector"], {"matchLabels": {"app.kubernetes.io/name": service}})
            self.equal(f"{service}: callers", edges(spec["ingress"], "from"), CALLERS[service] | {("[monitoring]", admin)})
            self.equal(f"{service}: called", edges(spec["egress"], "to"), CALLED[service])
            active = self.of("Service")[service]["spec"]["selector"]
            self.equal(f"{service}: one track has the traffic", active["track"], "blue" if service in PAIRS else "stable")
        for name, service in self.of("Service").items():
            selector = service["spec"]["selector"].items()
            chosen = [owner for owner, labels, _ in self.pods() if selector <= labels.items()]
            self.equal(f"Service {name}: pods of", len(chosen), 1)

    def names_exist(self):
        made = {kind: set(self.of(kind)) for kind in ("ConfigMap", "ServiceAccount", "PersistentVolumeClaim")}
        external = self.of("ExternalSecret")
        secrets = set(external) | {it["spec"]["secretName"] for it in self.of("Certificate").values()}
        for name, _, pod in self.pods():
            if pod["serviceAccountName"] not in made["ServiceAccount"]:
                self.problems.append(f"{name}: no ServiceAccount {pod['serviceAccountName']}")
            for volume in pod["volumes"]:
                if "configMap" in volume and volume["configMap"]["name"] not in made["ConfigMap"]:
                    self.problems.append(f"{name}: no ConfigMap {volume['configMap']['name']}")
                if "secret" in volume and self.environment != "development" and volume["secret"]["secretName"] not in secrets:
                    self.problems.append(f"{name}: nobody makes the Secret {volume['secret']['secretName']}")
                claim = volume.get("persistentVolumeClaim", {}).get("claimName")
                if claim and claim not in made["PersistentVolumeClaim"]:
                    self.problems.append(f"{name}: no claim {claim}")
        if self.environment != "development":
            self.settings_find_their_files(external)

    def settings_find_their_files(self, external):
        """Each file below /etc/fcs that the settings name is a key of a Secret of the service that reads it."""
        settings = tomllib.loads((ROOT / f"config/{self.environment}.toml").read_text())
        sections = {"scoring-gateway": "gateway", "model-server": "model_server", "bias-monitor": "bias_monitor", "deployment-audit": "deployment_audit"}
        for service, section in sections.items():
            keys = {it["secretKey"] for it in external[f"{service}-secrets"]["spec"]["data"]}
            shared = {key: value for key, value in settings.items() if key not in sections.values()}
            files = set(re.findall(r"/etc/fcs/([\w./-]+)", repr((shared, settings[section]))))
            files |= {it["value"].removeprefix("/etc/fcs/") for pod in self.pods() if pod[0].startswith(f"Deployment {service}") for it in pod[2]["containers"][0]["env"] if it["name"].endswith("_FILE")}
            given = {f"secrets/{key}" for key in keys} | {"tls/tls.crt", "tls/tls.key", "tls/ca.crt"} | ({"trust/trust.toml"} if service in PAIRS else set())
            self.equal(f"{service}: files that nobody gives", files - given, set())
            self.equal(f"{service}: secrets that nobody reads", {f"secrets/{key}" for key in keys} - files, set())

    def nothing_is_secret_here(self):
        self.equal("Secrets in the manifests", list(self.of("Secret")), [])
        for name, _, pod in self.pods():
            for container in pod["containers"]:
                for variable in container.get("env", []):
                    if re.search(r"://[^/]*:[^/]*@|PASSWORD|TOKEN", str(variable)):
                        self.problems.append(f"{name}: {variable['name']} holds a credential")
        trust = self.of("ConfigMap")["trust"]["data"]["trust.toml"]
        if self.environment == "production" and any(key in trust for key in DEMO_KEYS):
            self.problems.append("production trusts the keys of the sample models")

    def rights_are_few(self):
        for name, role in {**self.of("Role"), **self.of("ClusterRole")}.items():
            for rule in role["rules"]:
                if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"] or "secrets" in rule["resources"]:
                    self.problems.append(f"{name}: {rule} is too much")
                if set(rule["verbs"]) - {"get", "list", "watch"} and not rule.get("resourceNames"):
                    self.problems.append(f"{name}: {rule} may change everything of its kind")
        self.equal("cluster roles", list(self.of("ClusterRole")), [])


def edges(rules, side):
    """(peer, port) of the rules of a policy."""
    found = set()
    for rule in rules:
        for peer in rule[side]:
            if "ipBlock" in peer:
                name = f"<{peer['ipBlock']['cidr']}>"
            elif "namespaceSelector" in peer:
                name = f"[{peer['namespaceSelector']['matchLabels']['kubernetes.io/metadata.name']}]"
            else:
                name = peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
            found |= {(name, port["port"]) for port in rule["ports"]}
    return found


if __name__ == "__main__":
    environment, *files = sys.argv[1:]
    problems = Manifests(environment, files).check()
    for problem in problems:
        print(f"{environment}: {problem}", file=sys.stderr)
    if not problems:
        print(f"kubernetes: {environment} is as it must be")
    sys.exit(bool(problems))
