# The whole system in one account and region, with copies in another. Environments give it their size.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      version               = "~> 5.100"
      configuration_aliases = [aws, aws.other_region]
    }
  }
}

data "aws_caller_identity" "this" {}

locals {
  name   = "fcs-${var.environment}"
  config = "${path.module}/../../../config/${var.environment == "development" ? "staging" : var.environment}.toml"
  trust  = file("${path.module}/../../../deploy/kubernetes/overlays/${var.environment}/platform/trust.toml")

  # What differs by platform: names in this network, and the store's address. Everything else is the committed file.
  variables = {
    scoring-gateway = {
      FCS__GATEWAY__MODEL_SERVER_URL        = "https://model-server-${var.active_model_server}.${module.edge.namespace}:8010"
      FCS__TLS__CLIENT_CERTIFICATE_OPTIONAL = "true" # the load balancer shows none; its clients show API keys and tokens
    }
    model-server = {
      FCS__MODEL_SERVER__REGISTRY   = "s3://${module.registry.bucket}/registry"
      FCS__MODEL_SERVER__S3__REGION = var.region
    }
    bias-monitor = {
      FCS__BIAS_MONITOR__GATEWAY_URL = local.gateway_url
    }
    deployment-audit = {
      FCS__DEPLOYMENT_AUDIT__GATEWAY_URL      = local.gateway_url
      FCS__DEPLOYMENT_AUDIT__BIAS_MONITOR_URL = "https://bias-monitor.${module.edge.namespace}:8020"
      FCS__DEPLOYMENT_AUDIT__PROMETHEUS_URL   = var.prometheus_url
    }
  }
  gateway_url = "https://scoring-gateway-${var.weights.blue >= var.weights.green ? "blue" : "green"}.${module.edge.namespace}:8000"

  services = {
    scoring-gateway  = { port = 8000, admin_port = 9000, stores = true, keys = { "secrets/privacy-keys.toml" = "privacy-keys" } }
    model-server     = { port = 8010, admin_port = 9010, stores = false, keys = {} }
    bias-monitor     = { port = 8020, admin_port = 9020, stores = true, keys = { "secrets/report-key" = "report-key" } }
    deployment-audit = { port = 8030, admin_port = 9030, stores = true, keys = { "secrets/log-key" = "log-key" } }
  }
  secret_files = {
    for service, it in local.services : service => merge(
      { for path, key in merge(
        { "tls/tls.crt" = "certificate", "tls/tls.key" = "certificate-key", "tls/ca.crt" = "authority", "secrets/api-key-secret" = "api-key-secret", "secrets/redis-url" = "redis-url" },
        it.keys,
      ) : path => { arn = module.secrets.arns[service], key = key } },
      it.stores ? { "secrets/database-url" = { arn = module.secrets.arns["${service}-database"], key = "url" } } : {},
    )
  }
  store_variables = { DATABASE_URL_FILE = "/etc/fcs/secrets/database-url" }
}

# Keys

resource "aws_kms_key" "this" {
  description             = "What ${local.name} keeps"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
}

resource "aws_kms_alias" "this" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_kms_key" "other_region" {
  provider                = aws.other_region
  description             = "Copies of what ${local.name} keeps"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy
}

locals {
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountDecidesByItsPolicies"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.this.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsAndNotices"
        Effect    = "Allow"
        Principal = { Service = ["logs.${var.region}.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
      },
    ]
  })
}

# Who is told

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

# Stores

module "network" {
  source           = "../network"
  name             = local.name
  region           = var.region
  zones            = var.zones
  way_out_per_zone = var.survives_a_zone
  key_arn          = aws_kms_key.this.arn
}

module "database" {
  source         = "../database"
  name           = local.name
  vpc_id         = module.network.vpc_id
  subnet_ids     = module.network.store_subnet_ids
  instance_class = var.database_class
  storage_gib    = var.database_gib
  multi_az       = var.survives_a_zone
  backup_days    = 30
  protected      = var.protected
  key_arn        = aws_kms_key.this.arn
}

module "cache" {
  source     = "../cache"
  name       = local.name
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.store_subnet_ids
  node_type  = var.cache_type
  nodes      = var.survives_a_zone ? 2 : 1
  auth_token = var.cache_token
  key_arn    = aws_kms_key.this.arn
}

module "registry" {
  source       = "../registry"
  providers    = { aws = aws, aws.other_region = aws.other_region }
  bucket       = "${local.name}-models-${data.aws_caller_identity.this.account_id}"
  lock_mode    = var.protected ? "COMPLIANCE" : "GOVERNANCE"
  lock_days    = var.model_lock_days
  key_arn      = aws_kms_key.this.arn
  copy_key_arn = aws_kms_key.other_region.arn
}

module "secrets" {
  source = "../secrets"
  name   = local.name
  secrets = merge(
    { for service, _ in local.services : service => "Certificate, keys and addresses of ${service}" },
    { for service, it in local.services : "${service}-database" => "url: the database as the role of ${service}" if it.stores },
  )
  rotated               = toset([for service, it in local.services : "${service}-database" if it.stores])
  rotation_function_arn = var.rotation_function_arn
  key_arn               = aws_kms_key.this.arn
}

module "backup" {
  source       = "../backup"
  providers    = { aws = aws, aws.other_region = aws.other_region }
  name         = local.name
  resources    = [module.database.arn]
  days         = 30
  key_arn      = aws_kms_key.this.arn
  copy_key_arn = aws_kms_key.other_region.arn
  topic_arn    = aws_sns_topic.alarms.arn
}
