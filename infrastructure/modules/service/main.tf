# One service of the system: its tasks in one or two tracks, its name, its rights, its size and its alarms.

locals {
  # Files come from secrets: a first container writes them where the service reads them, and ends.
  file_variables = { for path, _ in var.secret_files : path => upper(replace(path, "/[^A-Za-z0-9]/", "_")) }
  write_files = join("; ", concat(
    ["set -eu", "umask 027", "cd /etc/fcs", "mkdir -p config tls secrets trust"],
    ["printf '%s' \"$SETTINGS\" > config/${var.environment}.toml", "printf '%s' \"$TRUST\" > trust/trust.toml"],
    [for path, variable in local.file_variables : "printf '%s' \"$${${variable}}\" > ${path}"],
    ["chown -R 65532:65532 /etc/fcs /data"],
  ))
  logging = {
    logDriver = "awslogs"
    options = {
      "awslogs-group"         = aws_cloudwatch_log_group.this.name
      "awslogs-region"        = var.region
      "awslogs-stream-prefix" = var.service
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name}/${var.service}"
  retention_in_days = var.log_days
  kms_key_id        = var.key_arn
}

resource "aws_security_group" "this" {
  name        = "${var.name}-${var.service}"
  description = "${var.service} of ${var.name}"
  vpc_id      = var.vpc_id
}

# What starts the tasks: it may fetch the image, read these secrets and write this log.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-${var.service}-execution"
  assume_role_policy = local.tasks_may_assume
}

resource "aws_iam_role_policy" "execution" {
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.this.arn}:*" },
        { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = distinct([for secret in values(var.secret_files) : secret.arn]) },
        { Effect = "Allow", Action = "kms:Decrypt", Resource = var.key_arn },
      ],
      [for statement in [
        { Effect = "Allow", Action = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"], Resource = var.repository_arn },
        { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" }, # it has no resources
      ] : statement if var.repository_arn != null],
    )
  })
}

# What the service itself may do: nothing, unless it is given a policy.
resource "aws_iam_role" "task" {
  name               = "${var.name}-${var.service}-task"
  assume_role_policy = local.tasks_may_assume
}

resource "aws_iam_role_policy" "task" {
  count  = var.task_policy == null ? 0 : 1
  role   = aws_iam_role.task.id
  policy = var.task_policy
}

locals {
  tasks_may_assume = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = var.images
  family                   = "${var.name}-${var.service}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mib
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  volume {
    name = "files"
  }
  volume {
    name = "data"
  }
  container_definitions = jsonencode([
    {
      name             = "files"
      image            = var.files_image
      essential        = false
      command          = ["sh", "-c", local.write_files]
      environment      = [{ name = "SETTINGS", value = var.settings }, { name = "TRUST", value = var.trust }]
      secrets          = [for path, secret in var.secret_files : { name = local.file_variables[path], valueFrom = "${secret.arn}:${secret.key}::" }]
      mountPoints      = [{ sourceVolume = "files", containerPath = "/etc/fcs", readOnly = false }, { sourceVolume = "data", containerPath = "/data", readOnly = false }]
      logConfiguration = local.logging
    },
    {
      name                   = var.service
      image                  = each.value
      essential              = true
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      dependsOn              = [{ containerName = "files", condition = "SUCCESS" }]
      portMappings           = [{ containerPort = var.port, protocol = "tcp" }, { containerPort = var.admin_port, protocol = "tcp" }]
      environment            = [for key, value in merge(local.environment, var.variables) : { name = key, value = value }]
      mountPoints            = [{ sourceVolume = "files", containerPath = "/etc/fcs", readOnly = true }, { sourceVolume = "data", containerPath = "/data", readOnly = false }]
      linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
      stopTimeout            = 30
      healthCheck            = { command = ["CMD", "/app/${var.service}", "--health"], interval = 10, timeout = 5, retries = 3, startPeriod = 60 }
      logConfiguration       = local.logging
    },
  ])
}

locals {
  environment = {
    ENVIRONMENT        = var.environment
    FCS_CONFIG_DIR     = "/etc/fcs/config"
    FCS_DATA_DIR       = "/data"
    FCS__HTTP__LISTEN  = "0.0.0.0:${var.port}"
    FCS__ADMIN__LISTEN = "0.0.0.0:${var.admin_port}"
  }
}

resource "aws_service_discovery_service" "this" {
  for_each = var.images
  name     = length(var.images) > 1 ? "${var.service}-${each.key}" : var.service
  dns_config {
    namespace_id   = var.namespace_id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}

resource "aws_ecs_service" "this" {
  for_each                           = var.images
  name                               = "${var.service}-${each.key}"
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.this[each.key].arn
  desired_count                      = var.count_min
  launch_type                        = "FARGATE"
  propagate_tags                     = "SERVICE"
  enable_execute_command             = false
  health_check_grace_period_seconds  = contains(keys(var.target_group_arns), each.key) ? 60 : null
  deployment_maximum_percent         = var.alone ? 100 : 200
  deployment_minimum_healthy_percent = var.alone ? 0 : 100

  # Without them, a release whose tasks never start is tried for ever, and one that starts and does harm is never taken
  # back.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  alarms {
    enable      = true
    rollback    = true
    alarm_names = [for alarm in local.alarms[each.key] : alarm]
  }
  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }
  service_registries {
    registry_arn = aws_service_discovery_service.this[each.key].arn
  }
  dynamic "load_balancer" {
    for_each = contains(keys(var.target_group_arns), each.key) ? [var.target_group_arns[each.key]] : []
    content {
      target_group_arn = load_balancer.value
      container_name   = var.service
      container_port   = var.port
    }
  }
  lifecycle {
    ignore_changes = [desired_count] # the autoscaler's
  }
}

resource "aws_appautoscaling_target" "this" {
  for_each           = var.alone ? {} : var.images
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.this[each.key].name}"
  min_capacity       = var.count_min
  max_capacity       = var.count_max
}

resource "aws_appautoscaling_policy" "this" {
  for_each = {
    for pair in setproduct(keys(aws_appautoscaling_target.this), keys(local.targets)) : "${pair[0]}-${pair[1]}" => { track = pair[0], metric = pair[1] }
  }
  name               = "${var.name}-${var.service}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = aws_appautoscaling_target.this[each.value.track].resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = local.targets[each.value.metric]
    scale_in_cooldown  = 300
    scale_out_cooldown = 30
    predefined_metric_specification {
      predefined_metric_type = each.value.metric
    }
  }
}

locals {
  targets = {
    ECSServiceAverageCPUUtilization    = 70
    ECSServiceAverageMemoryUtilization = 80
  }
}
