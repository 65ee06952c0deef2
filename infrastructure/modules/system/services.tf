# The load balancer, the four services, and the edges between them.

module "edge" {
  source             = "../edge"
  name               = local.name
  environment        = var.environment
  vpc_id             = module.network.vpc_id
  public_subnet_ids  = module.network.public_subnet_ids
  private_subnet_ids = module.network.private_subnet_ids
  internal           = var.internal
  client_cidrs       = var.client_cidrs
  certificate_arn    = var.certificate_arn
  weights            = var.weights
  protected          = var.protected
  key_arn            = aws_kms_key.this.arn
}

module "service" {
  source                = "../service"
  for_each              = local.services
  name                  = local.name
  service               = each.key
  environment           = var.environment
  region                = var.region
  port                  = each.value.port
  admin_port            = each.value.admin_port
  images                = var.images[each.key]
  files_image           = var.files_image
  repository_arn        = var.repository_arn
  settings              = file(local.config)
  trust                 = local.trust
  variables             = merge(local.variables[each.key], { REDIS_URL_FILE = "/etc/fcs/secrets/redis-url" }, each.value.stores ? local.store_variables : {}, var.variables)
  secret_files          = local.secret_files[each.key]
  task_policy           = each.key == "model-server" ? local.reads_models : null
  alone                 = contains(["bias-monitor", "deployment-audit"], each.key)
  count_min             = contains(["bias-monitor", "deployment-audit"], each.key) ? 1 : var.count_min
  count_max             = var.count_max
  cluster_arn           = module.edge.cluster_arn
  cluster_name          = module.edge.cluster_name
  namespace_id          = module.edge.namespace_id
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.private_subnet_ids
  target_group_arns     = each.key == "scoring-gateway" ? module.edge.target_group_arns : {}
  target_group_suffixes = each.key == "scoring-gateway" ? module.edge.target_group_suffixes : {}
  load_balancer_suffix  = each.key == "scoring-gateway" ? module.edge.load_balancer_suffix : null
  bias_alarm_name       = each.key == "scoring-gateway" ? aws_cloudwatch_metric_alarm.bias.alarm_name : null
  topic_arn             = aws_sns_topic.alarms.arn
  log_days              = var.log_days
  key_arn               = aws_kms_key.this.arn
}

locals {
  # The model server reads packages; people publish them.
  reads_models = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "s3:ListBucket", Resource = module.registry.arn },
      { Effect = "Allow", Action = "s3:GetObject", Resource = "${module.registry.arn}/*" },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = aws_kms_key.this.arn },
    ]
  })

  groups = merge(
    { for service, it in module.service : service => it.security_group_id },
    { edge = module.edge.security_group_id, database = module.database.security_group_id, cache = module.cache.security_group_id },
  )

  # The call graph: from, to, port. There are no other edges.
  edges = concat(
    [
      ["edge", "scoring-gateway", 8000],
      ["scoring-gateway", "model-server", 8010],
      ["bias-monitor", "scoring-gateway", 8000],
      ["deployment-audit", "scoring-gateway", 8000],
      ["deployment-audit", "bias-monitor", 8020],
    ],
    [for service, it in local.services : [service, "database", 5432] if it.stores],
    [for service, _ in local.services : [service, "cache", 6379]],
  )
  edge_map = { for edge in local.edges : "${edge[0]}-to-${edge[1]}" => { from = edge[0], to = edge[1], port = edge[2] } }
}

resource "aws_vpc_security_group_ingress_rule" "edges" {
  for_each                     = local.edge_map
  security_group_id            = local.groups[each.value.to]
  referenced_security_group_id = local.groups[each.value.from]
  description                  = each.key
  from_port                    = each.value.port
  to_port                      = each.value.port
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "edges" {
  for_each                     = local.edge_map
  security_group_id            = local.groups[each.value.from]
  referenced_security_group_id = local.groups[each.value.to]
  description                  = each.key
  from_port                    = each.value.port
  to_port                      = each.value.port
  ip_protocol                  = "tcp"
}

# Images, secrets, logs, the bucket and the issuer of tokens.
resource "aws_vpc_security_group_egress_rule" "web" {
  for_each          = local.services
  security_group_id = local.groups[each.key]
  description       = "AWS and the issuer of tokens"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

# Counts for the rollouts
resource "aws_vpc_security_group_egress_rule" "prometheus" {
  security_group_id = local.groups["deployment-audit"]
  description       = "Prometheus"
  cidr_ipv4         = module.network.cidr
  from_port         = 9090
  to_port           = 9090
  ip_protocol       = "tcp"
}

# The fourth trigger: an alarm of the bias monitor, from its log.
resource "aws_cloudwatch_log_metric_filter" "bias" {
  name           = "${local.name}-bias"
  log_group_name = module.service["bias-monitor"].log_group
  pattern        = "\"adverse impact ratio is in breach\""
  metric_transformation {
    namespace     = local.name
    name          = "BiasAlarms"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "bias" {
  alarm_name          = "${local.name}-bias"
  alarm_description   = "The bias monitor raised an alarm; docs/runbooks/RollbackBias.md"
  namespace           = local.name
  metric_name         = "BiasAlarms"
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
