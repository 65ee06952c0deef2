"""An emulated AWS on a port of this machine: moto, and answers to the few calls that it does not know.

    python serve.py PORT

What moto 5.2.5 lacks, and Terraform asks for: the tags of an autoscaling target, the selection of a backup plan, and
the member clusters of a replication group.
"""
import io
import json
import os
import re
import sys
import time
from urllib.parse import parse_qs

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # moto reads it when it is imported

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

SELECTIONS = {}
MEMBER = """<DescribeCacheClustersResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/">
<DescribeCacheClustersResult><CacheClusters><CacheCluster>
<CacheClusterId>{id}</CacheClusterId><CacheClusterStatus>available</CacheClusterStatus><Engine>redis</Engine>
<EngineVersion>7.1.0</EngineVersion><CacheNodeType>cache.t4g.micro</CacheNodeType><NumCacheNodes>1</NumCacheNodes>
<ReplicationGroupId>{group}</ReplicationGroupId><AutoMinorVersionUpgrade>true</AutoMinorVersionUpgrade>
<PreferredMaintenanceWindow>sun:03:00-sun:04:00</PreferredMaintenanceWindow>
<CacheSubnetGroupName>{group}</CacheSubnetGroupName>
</CacheCluster></CacheClusters></DescribeCacheClustersResult></DescribeCacheClustersResponse>"""


def answer_of(path, method, target, body):
    """The content type and text of an answer, or None for what moto knows."""
    if target.endswith("FrontendService.ListTagsForResource"):
        return "application/x-amz-json-1.1", json.dumps({"Tags": {}})
    selection = re.fullmatch(r"/backup/plans/([^/]+)/selections/?([^/]*)", path)
    if selection and method in ("PUT", "GET", "DELETE"):
        plan, number = selection.groups()
        if method == "PUT":
            number = f"selection-{len(SELECTIONS) + 1}"
            SELECTIONS[number] = json.loads(body)["BackupSelection"]
        about = {"BackupPlanId": plan, "SelectionId": number, "CreationDate": int(time.time())}
        if method == "GET":
            about["BackupSelection"] = SELECTIONS[number]
        return "application/json", json.dumps(about)
    form = parse_qs(body.decode("utf-8", "replace")) if b"DescribeCacheClusters" in body else {}
    member = form.get("CacheClusterId", [""])[0]
    if re.fullmatch(r".+-\d{3}", member):
        return "text/xml", MEMBER.format(id=member, group=member[:-4])
    return None


class Emulator:
    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        # Large bodies are objects of a bucket, which are moto's.
        body = environ["wsgi.input"].read(length) if 0 < length < 100_000 else b""
        answer = answer_of(environ["PATH_INFO"], environ["REQUEST_METHOD"], environ.get("HTTP_X_AMZ_TARGET", ""), body)
        if answer:
            start_response("200 OK", [("Content-Type", answer[0])])
            return [answer[1].encode()]
        if body:
            environ["wsgi.input"] = io.BytesIO(body)
        return self.moto(environ, start_response)


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), Emulator(), threaded=True)
