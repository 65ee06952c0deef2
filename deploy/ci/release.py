"""Brings one set of image digests into an environment on Kubernetes, and takes it back when it does harm.

    python3 release.py ENVIRONMENT IMAGES.json --commit SHA --actor NAME [--prometheus URL] [--bake SECONDS]

IMAGES.json names an image by digest for each service. The track without traffic gets the new images and is brought to
readiness; then the traffic moves by absolute weights, 5, 25, 50 and 100 %, and stays at each as long as `--bake` says.
A trigger that fires for the new track, or the same time without any data about it, gives everything back to what was
recorded before the first change. Nothing here says "previous": every step can be repeated.

Exit code 0: the new images have everything. 7: taken back. 1: it could not be done; the traffic was not moved.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

NAMESPACE = "fair-credit-scorer"
PAIRS = ("model-server", "scoring-gateway")
SINGLES = ("bias-monitor", "deployment-audit")
STEPS = (5, 25, 50, 100)
OVERLAYS = pathlib.Path(__file__).parents[1] / "kubernetes/overlays"
DIGEST = re.compile(r"[A-Za-z0-9.:/_-]+@sha256:[0-9a-f]{64}")
LOOK_SECONDS = 15


class Refused(Exception):
    """The release cannot begin."""


class TakenBack(Exception):
    """The release did harm, or nobody could tell."""


class Cluster:
    """kubectl, in one namespace."""

    def run(self, *arguments):
        return subprocess.run(["kubectl", "--namespace", NAMESPACE, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    def track(self, service):
        return self.run("get", "service", service, "--output", "jsonpath={.spec.selector.track}")

    def image(self, deployment):
        return self.run("get", "deployment", deployment, "--output", "jsonpath={.spec.template.spec.containers[0].image}")

    def select(self, service, track):
        self.run("patch", "service", service, "--type", "merge", "--patch", json.dumps({"spec": {"selector": {"track": track}}}))

    def weigh(self, weights):
        backends = [{"name": f"scoring-gateway-{track}", "port": 8000, "weight": weights[track]} for track in ("blue", "green")]
        patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": backends}]
        self.run("patch", "tlsroute", "scoring-gateway", "--type", "json", "--patch", json.dumps(patch))

    def ready(self, deployment):
        self.run("rollout", "status", f"deployment/{deployment}", "--timeout", "15m")


class Prometheus:
    def __init__(self, url):
        self.url = url

    def value(self, query):
        """The number of an instant query; None when there is none."""
        with urllib.request.urlopen(f"{self.url}/api/v1/query?query={urllib.parse.quote(query)}", timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def verdict(self, track):
        """`harm`, `good`, or `unknown` when nothing is known of the track."""
        try:
            # A trigger without a track is about a model or a group: it stops a release as well.
            harm = self.value(f'count(ALERTS{{action="rollback",alertstate="firing",track=~"{track}|"}})')
            seen = self.value(f'sum(job_track:requests:rate5m{{job="scoring-gateway",track="{track}"}})')
        except (OSError, ValueError, KeyError):
            return "unknown"
        if harm:
            return "harm"
        return "good" if seen else "unknown"


def set_images(overlay, images):
    """Writes digests into the overlay: the name of an entry is TRACK/SERVICE."""
    file = overlay / "common/kustomization.yaml"
    text = file.read_text()
    for name, image in images.items():
        if not DIGEST.fullmatch(image):
            raise Refused(f"{name}: {image!r} is not named by digest")
        place, digest = image.split("@")
        entry = re.compile(rf"  - {{name: {re.escape(name)}, newName: [^,]+, digest: \"[^\"]+\"}}")
        text, found = entry.subn(f'  - {{name: {name}, newName: {place}, digest: "{digest}"}}', text)
        if found != 1:
            raise Refused(f"{name} has no entry in {file}")
    file.write_text(text)


class Release:
    def __init__(self, environment, images, cluster, prometheus, bake, clock=time):
        self.overlay, self.images = OVERLAYS / environment, images
        self.cluster, self.prometheus, self.bake, self.clock = cluster, prometheus, bake, clock
        self.log = []

    def tell(self, event, **more):
        self.log.append({"at": int(self.clock.time()), "event": event, **more})
        print(json.dumps(self.log[-1]), flush=True)

    def run(self):
        missing = set(PAIRS + SINGLES) - set(self.images)
        if missing:
            raise Refused(f"no image for {', '.join(sorted(missing))}")
        before = self.look()
        self.tell("recorded", **before)
        self.prepare(before)
        try:
            self.shift(before)
            self.finish()
        except (TakenBack, subprocess.CalledProcessError) as problem:
            self.take_back(before, str(problem))
            return 7
        self.tell("done")
        return 0

    def look(self):
        """What there is now, in absolute terms: all that a way back needs."""
        tracks = {service: self.cluster.track(service) for service in PAIRS}
        if not set(tracks.values()) <= {"blue", "green"}:
            raise Refused(f"the traffic is nowhere: {tracks}; create the folder traffic/ first")
        images = {f"{track}/{service}": self.cluster.image(f"{service}-{track}") for service in PAIRS for track in ("blue", "green")}
        images |= {f"stable/{service}": self.cluster.image(service) for service in SINGLES}
        return {"tracks": tracks, "images": images}

    def prepare(self, before):
        """Migrations, then the idle tracks with the new images. Nobody's traffic is touched."""
        migrations = {f"migrate/{service}": self.images[service] for service in ("scoring-gateway", *SINGLES)}
        idle = {f"{other(before['tracks'][service])}/{service}": self.images[service] for service in PAIRS}
        set_images(self.overlay, before["images"] | migrations | idle)
        folder = str(self.overlay / "migrate")
        if (self.overlay / "migrate").is_dir():
            self.cluster.run("delete", "--kustomize", folder, "--ignore-not-found")
            self.cluster.run("apply", "--kustomize", folder)
            self.cluster.run("wait", "--for=condition=complete", "job", "--selector", "app.kubernetes.io/component=migration", "--timeout", "10m")
            self.tell("migrated")
        for part in ("platform", *PAIRS):
            self.cluster.run("apply", "--kustomize", str(self.overlay / part))
        for service in PAIRS:
            self.cluster.ready(f"{service}-{other(before['tracks'][service])}")
        self.tell("ready", images=idle)

    def shift(self, before):
        old = before["tracks"]["scoring-gateway"]
        new = other(old)
        self.cluster.select("model-server", other(before["tracks"]["model-server"]))
        for step in STEPS:
            self.cluster.weigh({new: step, old: 100 - step})
            self.tell("weight", track=new, percent=step)
            self.watch(new)
        self.cluster.select("scoring-gateway", new)
        self.tell("switched", track=new)

    def watch(self, track):
        """Stays until the track was seen to be good for as long as it should be."""
        good, unknown = 0, 0
        while good < self.bake:
            self.clock.sleep(LOOK_SECONDS)
            verdict = self.prometheus.verdict(track)
            if verdict == "harm":
                raise TakenBack("a trigger fires")
            good += LOOK_SECONDS if verdict == "good" else 0
            unknown += LOOK_SECONDS if verdict == "unknown" else 0
            if unknown > max(self.bake, 600):
                raise TakenBack("nothing is known of the new track")

    def finish(self):
        """The services that follow the log, one after the other; each reads on from where it stopped."""
        for service in SINGLES:
            set_images(self.overlay, {f"stable/{service}": self.images[service]})
            self.cluster.run("apply", "--kustomize", str(self.overlay / service))
            self.cluster.ready(service)
            self.tell("replaced", service=service)

    def take_back(self, before, why):
        """Traffic first, then images."""
        tracks = before["tracks"]
        self.cluster.weigh({tracks["scoring-gateway"]: 100, other(tracks["scoring-gateway"]): 0})
        for service, track in tracks.items():
            self.cluster.select(service, track)
        set_images(self.overlay, {name: image for name, image in before["images"].items() if name.startswith("stable/")})
        for service in SINGLES:
            self.cluster.run("apply", "--kustomize", str(self.overlay / service))
        self.tell("taken back", why=why, **tracks)


def other(track):
    return {"blue": "green", "green": "blue"}[track]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=["staging", "production"])
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--actor", required=True)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--bake", type=int, default=1800)
    parser.add_argument("--record", type=pathlib.Path, default=pathlib.Path("release.json"))
    given = parser.parse_args()
    images = json.loads(given.images.read_text())
    release = Release(given.environment, images, Cluster(), Prometheus(given.prometheus), given.bake)
    release.tell("begun", environment=given.environment, commit=given.commit, actor=given.actor, images=images)
    code = 1
    try:
        code = release.run()
    except Refused as problem:
        release.tell("refused", why=str(problem))
    finally:
        given.record.write_text(json.dumps(release.log, indent=1) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
