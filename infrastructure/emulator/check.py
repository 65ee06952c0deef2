"""Applies an environment to an emulated AWS and looks at what came to be, through the API as anybody would.

    python check.py development|staging|production PORT

The emulator runs no container, copies no object and rotates nothing: see README.md for what this cannot show.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request

import boto3

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
REGION, OTHER = "eu-central-1", "eu-west-1"
SIZES = {"development": (1, 2, False), "staging": (2, 6, False), "production": (3, 10, True)}
SERVICES = {"scoring-gateway": ["blue", "green"], "model-server": ["blue", "green"], "bias-monitor": ["stable"], "deployment-audit": ["stable"]}


def image(service, digit):
    return f"registry.example/{service}@sha256:{str(digit) * 64}"


def variables(environment, certificate):
    images = {
        service: {track: image(f"fair-credit-scorer/{service}", place + 1) for place, track in enumerate(tracks)}
        for service, tracks in SERVICES.items()
    }
    values = {
        "certificate_arn": certificate,
        "images": images,
        "files_image": image("busybox", 9),
        "cache_token": "a-token-of-sixteen-characters",
        "weights": {"blue": 95, "green": 5},
    }
    if environment == "production":
        values["client_cidrs"] = ["203.0.113.0/24"]
    return values


class Check:
    def __init__(self, environment, port):
        self.environment, self.name = environment, f"fcs-{environment}"
        self.minimum, self.maximum, self.survives = SIZES[environment]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.problems = []

    def client(self, service, region=REGION):
        return boto3.client(
            service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id="emulated", aws_secret_access_key="emulated"
        )

    def equal(self, what, found, expected):
        if found != expected:
            self.problems.append(f"{what}: {found!r} instead of {expected!r}")

    def services(self):
        ecs = self.client("ecs")
        cluster = f"fair-credit-scorer-{self.environment}"
        names = [f"{service}-{track}" for service, tracks in SERVICES.items() for track in tracks]
        found = {it["serviceName"]: it for it in ecs.describe_services(cluster=cluster, services=names)["services"]}
        self.equal("services", sorted(found), sorted(names))
        for name, service in found.items():
            alone = name.endswith("stable")
            self.equal(f"{name}: tasks", service["desiredCount"], 1 if alone else self.minimum)
            network = service["networkConfiguration"]["awsvpcConfiguration"]
            self.equal(f"{name}: public address", network["assignPublicIp"], "DISABLED")
            task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            main = next(it for it in task["containerDefinitions"] if it["essential"])
            self.equal(f"{name}: read-only", main["readonlyRootFilesystem"], True)
            self.equal(f"{name}: user", main["user"], "65532:65532")
            self.equal(f"{name}: image by digest", "@sha256:" in main["image"], True)
            shown = json.dumps(main["environment"])
            self.equal(f"{name}: password in a variable", "postgresql://" in shown or "rediss://" in shown, False)

    def load_balancer(self):
        elb = self.client("elbv2")
        balancer = elb.describe_load_balancers(Names=[self.name])["LoadBalancers"][0]
        self.equal("scheme", balancer.get("Scheme") or "internet-facing", "internet-facing" if self.environment == "production" else "internal")
        listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        self.equal("listeners", [(it["Port"], it["Protocol"]) for it in listeners], [(443, "HTTPS")])
        self.equal("TLS", listeners[0]["SslPolicy"], "ELBSecurityPolicy-TLS13-1-2-2021-06")
        groups = {it["TargetGroupArn"]: it for it in elb.describe_target_groups(LoadBalancerArn=balancer["LoadBalancerArn"])["TargetGroups"]}
        weights = listeners[0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        by_track = {groups[it["TargetGroupArn"]]["TargetGroupName"].rsplit("-", 1)[1]: it["Weight"] for it in weights}
        self.equal("weights", by_track, {"blue": 95, "green": 5})
        for group in groups.values():
            self.equal("health check", (group["Protocol"], group["HealthCheckProtocol"], group["HealthCheckPath"]), ("HTTPS", "HTTPS", "/ready"))

    def stores(self):
        database = self.client("rds").describe_db_instances(DBInstanceIdentifier=self.name)["DBInstances"][0]
        for key, expected in {
            "MultiAZ": self.survives, "StorageEncrypted": True, "PubliclyAccessible": False, "BackupRetentionPeriod": 30,
            "DeletionProtection": self.environment == "production", "Engine": "postgres",
        }.items():
            self.equal(f"database {key}", database[key], expected)
        cache = self.client("elasticache").describe_replication_groups(ReplicationGroupId=self.name)["ReplicationGroups"][0]
        for key in ("TransitEncryptionEnabled", "AtRestEncryptionEnabled"):
            self.equal(f"cache {key}", cache[key], True)
        backup = self.client("backup")
        plans = [it for it in backup.list_backup_plans()["BackupPlansList"] if it["BackupPlanName"] == self.name]
        rule = backup.get_backup_plan(BackupPlanId=plans[0]["BackupPlanId"])["BackupPlan"]["Rules"][0]
        self.equal("backup", (rule["ScheduleExpression"], rule["Lifecycle"]["DeleteAfterDays"]), ("cron(30 2 * * ? *)", 30))
        self.equal("copy of the backup", f":{OTHER}:" in rule["CopyActions"][0]["DestinationBackupVaultArn"], True)

    def registry(self):
        bucket = f"{self.name}-models-123456789012"
        for name, region in ((bucket, REGION), (f"{bucket}-copy", OTHER)):
            s3 = self.client("s3", region)
            self.equal(f"{name}: versions", s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
            lock = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Mode"]
            self.equal(f"{name}: lock", lock, "COMPLIANCE" if self.environment == "production" else "GOVERNANCE")
            rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
            self.equal(f"{name}: encryption", rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms")
            block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
            self.equal(f"{name}: public", set(block.values()), {True})
        rule = self.client("s3").get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"][0]
        self.equal("replication", (rule["Status"], rule["Destination"]["Bucket"]), ("Enabled", f"arn:aws:s3:::{bucket}-copy"))
        # A version of a model is there for good: overwriting makes another version, and deleting the first is refused.
        s3 = self.client("s3")
        s3.delete_bucket_policy(Bucket=bucket)  # "no one without TLS": the emulator does not read the condition
        first = s3.put_object(Bucket=bucket, Key="registry/m/1/model.toml", Body=b"one", ChecksumAlgorithm="SHA256")["VersionId"]
        try:
            s3.delete_object(Bucket=bucket, Key="registry/m/1/model.toml", VersionId=first)
            self.problems.append("a locked version of a model could be deleted")
        except s3.exceptions.ClientError as error:
            self.equal("deletion", error.response["Error"]["Code"], "AccessDenied")

    def alarms(self):
        found = self.client("cloudwatch").describe_alarms(AlarmNamePrefix=self.name)["MetricAlarms"]
        by_name = {it["AlarmName"].removeprefix(f"{self.name}-"): it for it in found}
        expected = {"bias": (0, 60, 1), "backup-failed": (0, 3600, 1), "backup-missing": (1, 86400, 1)}
        for service, tracks in SERVICES.items():
            for track in tracks:
                expected[f"{service}-{track}-memory"] = (90, 60, 10)
        for track in ("blue", "green"):
            expected[f"scoring-gateway-{track}-latency"] = (2, 60, 5)
            expected[f"scoring-gateway-{track}-errors"] = (5, None, 5)
        self.equal("alarms", sorted(by_name), sorted(expected))
        for name, limits in expected.items():
            alarm = by_name.get(name, {})
            self.equal(f"alarm {name}", (alarm.get("Threshold"), alarm.get("Period"), alarm.get("EvaluationPeriods")), limits)
            self.equal(f"alarm {name} tells somebody", bool(alarm.get("AlarmActions")), True)

    def walls(self):
        ec2 = self.client("ec2")
        groups = {it["GroupId"]: it["GroupName"] for it in ec2.describe_security_groups()["SecurityGroups"] if it["GroupName"].startswith(self.name)}
        edges = set()
        for rule in ec2.describe_security_group_rules()["SecurityGroupRules"]:
            if rule["GroupId"] not in groups or rule["IsEgress"]:
                continue
            to = groups[rule["GroupId"]].removeprefix(f"{self.name}-")
            peer = rule.get("ReferencedGroupInfo", {}).get("GroupId")
            origin = groups[peer].removeprefix(f"{self.name}-") if peer else rule.get("CidrIpv4")
            edges.add((origin, to, rule["FromPort"]))
        clients = "203.0.113.0/24" if self.environment == "production" else "10.0.0.0/8"
        stores = [it for it in SERVICES if it != "model-server"]
        self.equal("edges", edges, {
            (clients, "edge", 443), ("edge", "scoring-gateway", 8000), ("scoring-gateway", "model-server", 8010),
            ("bias-monitor", "scoring-gateway", 8000), ("deployment-audit", "scoring-gateway", 8000),
            *((it, "database", 5432) for it in stores), *((it, "cache", 6379) for it in SERVICES),
        })
        keys = self.client("kms")
        for key in keys.list_keys()["Keys"]:
            if self.name in keys.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Description"]:
                self.equal("rotation of the key", keys.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"], True)
        for secret in self.client("secretsmanager").list_secrets()["SecretList"]:
            self.equal(f"{secret['Name']}: key", bool(secret.get("KmsKeyId")), True)


def plan_problems(plan):
    """What no plan of ours may hold, whatever the environment."""
    problems = []
    for change in plan["resource_changes"]:
        after, kind, name = change["change"]["after"] or {}, change["type"], change["address"]
        if kind in ("aws_iam_role_policy", "aws_iam_policy") and after.get("policy"):
            for statement in json.loads(after["policy"])["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                if any(action == "*" or action.endswith(":*") for action in actions):
                    problems.append(f"{name}: {actions} is everything")
                if statement["Resource"] == "*" and actions != ["ecr:GetAuthorizationToken"]:
                    problems.append(f"{name}: {actions} on everything")
        if kind == "aws_vpc_security_group_ingress_rule" and after.get("cidr_ipv4") == "0.0.0.0/0":
            problems.append(f"{name}: open to the world")
        if kind == "aws_ecs_service":
            # The emulator forgets these, so the plan is what can be looked at.
            breaker, alarms = after["deployment_circuit_breaker"], after["alarms"]
            if [(it["enable"], it["rollback"]) for it in (*breaker, *alarms)] != [(True, True)] * 2:
                problems.append(f"{name}: no circuit breaker, or no alarms that take a release back")
        if kind == "aws_iam_user" or kind == "aws_iam_access_key":
            problems.append(f"{name}: people and their keys are not ours to make")
        if kind == "aws_secretsmanager_secret_version":
            problems.append(f"{name}: the state would hold a secret")
    return problems


def run(command, folder, **more):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, **more)


def main(environment, port):
    check = Check(environment, port)
    # A resource of one environment must not be taken for that of another: the emulator gives all databases one id.
    urllib.request.urlopen(urllib.request.Request(f"{check.endpoint}/moto-api/reset", method="POST")).close()
    certificate = check.client("acm").request_certificate(DomainName="scoring.example")["CertificateArn"]
    with tempfile.TemporaryDirectory() as temporary:
        copy = pathlib.Path(temporary)
        for part in ("infrastructure", "config", "deploy/kubernetes/overlays"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns(".terraform"))
        folder = copy / "infrastructure/environments" / environment
        shutil.copy(HERE / "provider_override.tf", folder)
        (folder / "emulated.auto.tfvars.json").write_text(json.dumps(variables(environment, certificate)))
        emulated = {**os.environ, "AWS_ENDPOINT_URL": check.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
        run(["terraform", "init", "-input=false", "-no-color"], folder, env=emulated)
        run(["terraform", "plan", "-input=false", "-out=plan", "-parallelism=20"], folder, env=emulated)
        plan = json.loads(subprocess.check_output(["terraform", "show", "-json", "plan"], cwd=folder, env=emulated))
        check.problems += plan_problems(plan)
        run(["terraform", "apply", "-input=false", "-auto-approve", "-parallelism=20", "plan"], folder, env=emulated)
        made = len(plan["resource_changes"])
    for part in (check.services, check.load_balancer, check.stores, check.registry, check.alarms, check.walls):
        part()
    for problem in check.problems:
        print(f"{environment}: {problem}", file=sys.stderr)
    print(f"{environment}: {made} resources applied, {len(check.problems)} problems")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
