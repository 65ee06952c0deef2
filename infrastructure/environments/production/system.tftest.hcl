# The plan of production with a stand-in for AWS: what must be so, and what is refused.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/one" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/one" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:one" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:one" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:one" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::one" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/one/1", arn_suffix = "app/one/1" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/one/1", arn_suffix = "targetgroup/one/1" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/one" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/one:1" }
  }
  mock_resource "aws_service_discovery_service" {
    defaults = { arn = "arn:aws:servicediscovery:eu-central-1:123456789012:service/one" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:eu-central-1:123456789012:backup-vault:one" }
  }
  mock_resource "aws_db_instance" {
    defaults = { arn = "arn:aws:rds:eu-central-1:123456789012:db:one" }
  }
}

mock_provider "aws" {
  alias = "other_region"
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/two" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::two" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:eu-west-1:123456789012:backup-vault:two" }
  }
}

variables {
  certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/one"
  client_cidrs    = ["203.0.113.0/24"]
  cache_token     = "a-token-of-sixteen-characters"
  files_image     = "registry.example/busybox@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  images = {
    scoring-gateway = {
      blue  = "registry.example/fair-credit-scorer/scoring-gateway@sha256:2222222222222222222222222222222222222222222222222222222222222222"
      green = "registry.example/fair-credit-scorer/scoring-gateway@sha256:3333333333333333333333333333333333333333333333333333333333333333"
    }
    model-server = {
      blue  = "registry.example/fair-credit-scorer/model-server@sha256:2222222222222222222222222222222222222222222222222222222222222222"
      green = "registry.example/fair-credit-scorer/model-server@sha256:3333333333333333333333333333333333333333333333333333333333333333"
    }
    bias-monitor     = { stable = "registry.example/fair-credit-scorer/bias-monitor@sha256:2222222222222222222222222222222222222222222222222222222222222222" }
    deployment-audit = { stable = "registry.example/fair-credit-scorer/deployment-audit@sha256:2222222222222222222222222222222222222222222222222222222222222222" }
  }
  rotation_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate"
}

run "a_canary_of_five_percent" {
  variables {
    weights = { blue = 95, green = 5 }
  }
  assert {
    condition     = output.cluster == "fair-credit-scorer-production"
    error_message = "The cluster has the name of the deployment strategy."
  }
}

run "weights_that_are_not_a_whole" {
  command = plan
  module {
    source = "../../modules/edge"
  }
  variables {
    name               = "fcs-production"
    environment        = "production"
    vpc_id             = "vpc-1"
    public_subnet_ids  = ["subnet-1"]
    private_subnet_ids = ["subnet-2"]
    internal           = false
    protected          = true
    key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/one"
    weights            = { blue = 95, green = 10 }
  }
  expect_failures = [var.weights]
}

run "an_image_by_tag" {
  command = plan
  module {
    source = "../../modules/service"
  }
  variables {
    name           = "fcs-production"
    service        = "model-server"
    environment    = "production"
    region         = "eu-central-1"
    port           = 8010
    admin_port     = 9010
    images         = { blue = "registry.example/fair-credit-scorer/model-server:latest" }
    repository_arn = null
    settings       = ""
    trust          = ""
    variables      = {}
    secret_files   = {}
    count_min      = 3
    count_max      = 10
    cluster_arn    = "arn:aws:ecs:eu-central-1:123456789012:cluster/one"
    cluster_name   = "one"
    namespace_id   = "ns-1"
    vpc_id         = "vpc-1"
    subnet_ids     = ["subnet-2"]
    topic_arn      = "arn:aws:sns:eu-central-1:123456789012:one"
    log_days       = 30
    key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/one"
  }
  expect_failures = [var.images]
}

run "a_network_in_one_zone" {
  command = plan
  module {
    source = "../../modules/network"
  }
  variables {
    name             = "fcs-production"
    region           = "eu-central-1"
    zones            = ["eu-central-1a"]
    way_out_per_zone = false
    key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/one"
  }
  expect_failures = [var.zones]
}

run "everybody_as_a_client" {
  command = plan
  variables {
    client_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.client_cidrs]
}
