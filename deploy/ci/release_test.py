"""Releases against a cluster and a Prometheus that are played."""
import pathlib
import shutil
import tempfile
import unittest

import release

NEW = {service: f"registry.example/fair-credit-scorer/{service}@sha256:{'b' * 64}" for service in release.PAIRS + release.SINGLES}
OVERLAYS = release.OVERLAYS
OLD = f"registry.example/old@sha256:{'a' * 64}"


class Cluster(release.Cluster):
    def __init__(self):
        self.tracks, self.weights = {"scoring-gateway": "green", "model-server": "green"}, {"blue": 0, "green": 100}
        self.history, self.calls, self.broken = [], [], None

    def run(self, *arguments):
        self.calls.append(" ".join(arguments))
        if self.broken and self.broken in self.calls[-1]:
            raise release.subprocess.CalledProcessError(1, "kubectl")
        return ""

    def track(self, service):
        return self.tracks[service]

    def image(self, deployment):
        return OLD

    def select(self, service, track):
        self.tracks[service] = track

    def weigh(self, weights):
        self.weights = weights
        self.history.append(weights["blue"])


class Prometheus:
    def __init__(self, *verdicts):
        self.verdicts = list(verdicts)

    def verdict(self, track):
        assert track == "blue"
        return self.verdicts.pop(0) if self.verdicts else "good"


class Clock:
    now = 0

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class ReleaseTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        overlays = pathlib.Path(self.folder.name)
        shutil.copytree(OVERLAYS / "production", overlays / "production")
        release.OVERLAYS = overlays
        self.cluster, self.clock = Cluster(), Clock()

    def release(self, *verdicts, images=NEW):
        it = release.Release("production", images, self.cluster, Prometheus(*verdicts), 60, self.clock)
        return it.run(), it

    def images(self):
        return (release.OVERLAYS / "production/common/kustomization.yaml").read_text()

    def test_a_good_release_takes_everything_step_by_step(self):
        code, _ = self.release()
        self.assertEqual((code, self.cluster.history), (0, [5, 25, 50, 100]))
        self.assertEqual(self.cluster.tracks, {"scoring-gateway": "blue", "model-server": "blue"})
        self.assertGreaterEqual(self.clock.now, 4 * 60)
        self.assertIn(f'name: blue/scoring-gateway, newName: registry.example/fair-credit-scorer/scoring-gateway, digest: "sha256:{"b" * 64}"', self.images())
        self.assertIn(f'name: green/scoring-gateway, newName: registry.example/old, digest: "sha256:{"a" * 64}"', self.images())
        migrate, gateway = (next(place for place, call in enumerate(self.cluster.calls) if call.startswith("apply") and call.endswith(part)) for part in ("migrate", "scoring-gateway"))
        self.assertLess(migrate, gateway)

    def test_harm_gives_everything_back_as_it_was_recorded(self):
        code, it = self.release("good", "good", "good", "good", "good", "harm")
        self.assertEqual((code, self.cluster.history), (7, [5, 25, 0]))
        self.assertEqual(self.cluster.tracks, {"scoring-gateway": "green", "model-server": "green"})
        self.assertEqual(it.log[-1]["event"], "taken back")
        it.take_back(it.look(), "asked again")
        self.assertEqual(self.cluster.weights, {"green": 100, "blue": 0})

    def test_nothing_known_is_never_promoted(self):
        code, it = self.release(*["unknown"] * 100)
        self.assertEqual((code, self.cluster.history), (7, [5, 0]))
        self.assertEqual(it.log[-1]["why"], "nothing is known of the new track")

    def test_a_service_that_does_not_get_ready_at_the_end_takes_all_back(self):
        self.cluster.broken = "deployment/deployment-audit"
        code, _ = self.release()
        self.assertEqual((code, self.cluster.history), (7, [5, 25, 50, 100, 0]))
        self.assertIn('name: stable/bias-monitor, newName: registry.example/old', self.images())

    def test_what_does_not_get_ready_before_the_traffic_moves_nothing(self):
        self.cluster.broken = "deployment/scoring-gateway-blue"
        with self.assertRaises(release.subprocess.CalledProcessError):
            self.release()
        self.assertEqual(self.cluster.history, [])

    def test_images_by_tag_and_missing_ones_are_refused(self):
        for images in ({**NEW, "model-server": "registry.example/model-server:latest"}, {"model-server": NEW["model-server"]}):
            with self.assertRaises(release.Refused):
                self.release(images=images)
        self.assertEqual([call for call in self.cluster.calls if not call.startswith("get")], [])


if __name__ == "__main__":
    unittest.main()
